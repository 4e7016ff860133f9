//! One link's containers: how their names become object stores.

use std::collections::BTreeMap;

use async_nats::jetstream::object_store::{self, ObjectInfo};
use async_nats::jetstream::{self, context};
use blobstore::blobs::{Blobs, Error, Found, Object, Page};
use blobstore::{PAGE, allow};
use futures::{StreamExt as _, TryStreamExt as _};
use wicker_process::Tasks;
use wicker_provider::Stream;
use wicker_provider::lattice::escape;

use crate::LinkConfig;
use crate::bucket::{Bucket, unavailable};
use crate::upload::Upload;

/// What JetStream says where a stream is not there.
const NO_STREAM: jetstream::ErrorCode = jetstream::ErrorCode::STREAM_NOT_FOUND;

/// One link's containers.
#[derive(Debug)]
pub struct Containers {
    jetstream: context::Context,
    config: LinkConfig,
    tasks: Tasks,
}

impl Containers {
    pub(crate) fn new(jetstream: context::Context, config: LinkConfig, tasks: Tasks) -> Self {
        Self { jetstream, config, tasks }
    }

    /// The object store of a container.
    fn name(&self, container: &str) -> Result<String, Error> {
        allow(&self.config.containers, container)?;
        let name = format!("{}{}", self.config.prefix, escape::print(container));
        match name.len() {
            1..=240 => Ok(name),
            _ => Err(Error::Invalid(format!(
                "`{container}` is too long for an object store's name, or empty"
            ))),
        }
    }

    async fn bucket(&self, container: &str) -> Result<Bucket, Error> {
        let name = self.name(container)?;
        match self.jetstream.get_stream(format!("OBJ_{name}")).await {
            Ok(stream) => Ok(Bucket { jetstream: self.jetstream.clone(), stream, name }),
            Err(error) => Err(absent(&error)
                .unwrap_or_else(|| unavailable("cannot open the object store", &error))),
        }
    }

    async fn write(&self, bucket: &Bucket, name: &str, data: Stream) -> Result<u64, Error> {
        let before = bucket.info(name).await?;
        let mut upload = Upload::new(bucket, &self.tasks);
        let mut chunks = data.into_chunks();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Error::BrokenOff(error.to_string()))?;
            upload.write(chunk).await?;
        }
        let size = upload.keep(name).await?;
        if let Some(before) = before {
            bucket.forget(&before.nuid).await;
        }
        Ok(size)
    }
}

/// No such container, if that is what JetStream says.
fn absent(error: &context::GetStreamError) -> Option<Error> {
    match error.kind() {
        context::GetStreamErrorKind::JetStream(why) if why.error_code() == NO_STREAM => {
            Some(Error::NoSuchContainer)
        }
        _ => None,
    }
}

fn object(info: ObjectInfo) -> Object {
    let written_at = info.modified.map_or(0, |at| u64::try_from(at.unix_timestamp()).unwrap_or(0));
    Object { name: info.name, size: info.size as u64, written_at }
}

impl Blobs for Containers {
    async fn create_container(&self, container: String) -> Result<(), Error> {
        match self.bucket(&container).await {
            Err(Error::NoSuchContainer) => {}
            found => return found.map(drop),
        }
        let made = self.jetstream.create_object_store(object_store::Config {
            bucket: self.name(&container)?,
            num_replicas: self.config.replicas,
            ..object_store::Config::default()
        });
        made.await.map(drop).map_err(|error| unavailable("cannot make the object store", &error))
    }

    async fn delete_container(&self, container: String) -> Result<(), Error> {
        match self.bucket(&container).await {
            Err(Error::NoSuchContainer) => return Ok(()),
            found => found.map(drop)?,
        }
        let removed = self.jetstream.delete_object_store(self.name(&container)?).await;
        removed.map_err(|error| unavailable("cannot remove the object store", &error))
    }

    async fn has_container(&self, container: String) -> Result<bool, Error> {
        match self.bucket(&container).await {
            Ok(_) => Ok(true),
            Err(Error::NoSuchContainer) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, container: String, name: String, data: Stream) -> Result<u64, Error> {
        self.write(&self.bucket(&container).await?, &name, data).await
    }

    async fn get(
        &self,
        container: String,
        name: String,
        start: u64,
        length: Option<u64>,
    ) -> Result<Found, Error> {
        let bucket = self.bucket(&container).await?;
        let info = bucket.existing(&name).await?;
        let size = info.size as u64;
        if start > size {
            return Err(Error::Invalid(format!(
                "the object has {size} bytes, and so no byte {start}"
            )));
        }
        let rest = size - start;
        let data = bucket.read(info, start, length.map_or(rest, |length| length.min(rest)));
        Ok(Found { size, data: Stream::new(data) })
    }

    async fn info(&self, container: String, name: String) -> Result<Object, Error> {
        Ok(object(self.bucket(&container).await?.existing(&name).await?))
    }

    async fn delete(&self, container: String, names: Vec<String>) -> Result<(), Error> {
        let bucket = self.bucket(&container).await?;
        for name in names {
            bucket.delete(&name).await?;
        }
        Ok(())
    }

    async fn list(
        &self,
        container: String,
        prefix: String,
        after: Option<String>,
    ) -> Result<Page, Error> {
        let bucket = self.bucket(&container).await?;
        let mut found = BTreeMap::new();
        let mut names = bucket.infos().await?;
        while let Some(info) = names.try_next().await? {
            let is_wanted = info.name.starts_with(&prefix)
                && after.as_ref().is_none_or(|after| info.name > *after);
            if is_wanted {
                found.insert(info.name.clone(), object(info));
            }
            // The page, and one that shows that there is more.
            if found.len() > PAGE + 1 {
                found.pop_last();
            }
        }
        let has_more = found.len() > PAGE;
        Ok(Page { objects: found.into_values().take(PAGE).collect(), has_more })
    }

    async fn copy(
        &self,
        container: String,
        name: String,
        to_container: String,
        to_name: String,
    ) -> Result<(), Error> {
        let (from, to) = (self.bucket(&container).await?, self.bucket(&to_container).await?);
        let info = from.existing(&name).await?;
        if (&container, &name) == (&to_container, &to_name) {
            return Ok(());
        }
        let size = info.size as u64;
        self.write(&to, &to_name, Stream::new(from.read(info, 0, size))).await.map(drop)
    }
}
