//! One link's containers: folders of a bucket, each with a marker beside it, because a bucket has no empty folders.

use std::sync::Arc;

use blobstore::blobs::{Blobs, Error, Found, Object, Page};
use blobstore::{PAGE, allow};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3;
use object_store::path::{Path, PathPart};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload,
};
use wicker_process::Tasks;
use wicker_provider::lattice::call::StreamError;
use wicker_provider::{ProviderError, Stream};

use crate::LinkConfig;
use crate::error::failed;
use crate::upload::Upload;

/// The folder of the markers. No container has this name.
const MARKERS: &str = ".containers";

/// The longest key that S3 takes.
const KEY_BYTES_MAX: usize = 1_024;

/// One link's containers.
#[derive(Debug)]
pub struct Containers {
    store: Arc<AmazonS3>,
    config: LinkConfig,
    tasks: Tasks,
}

impl Containers {
    /// Fails where the endpoint does not answer, has no such bucket, or refuses the link.
    pub(crate) async fn open(
        store: AmazonS3,
        config: LinkConfig,
        tasks: Tasks,
    ) -> Result<Self, ProviderError> {
        let containers = Self { store: Arc::new(store), config, tasks };
        let markers = containers.root()?.join(MARKERS);
        let first = containers.store.list(Some(&markers)).next().await;
        first.transpose().map_err(|error| {
            let attempt = format!("cannot use the bucket `{}`", containers.config.bucket);
            ProviderError::backend(attempt, error)
        })?;
        Ok(containers)
    }

    fn root(&self) -> Result<Path, ProviderError> {
        let prefix = &self.config.prefix;
        Path::parse(prefix)
            .map_err(|error| ProviderError::config(format!("`prefix` is no folder: {error}")))
    }

    /// The folder of a container.
    fn folder(&self, container: &str) -> Result<Path, Error> {
        allow(&self.config.containers, container)?;
        if container.is_empty() || container == MARKERS {
            return Err(Error::Invalid(format!("a container cannot be called `{container}`")));
        }
        let root = self.root().map_err(|error| Error::Other(error.to_string()))?;
        Ok(root.join(PathPart::from(container)))
    }

    /// What says that a container is there.
    fn marker(&self, container: &str) -> Result<Path, Error> {
        self.folder(container)?;
        let root = self.root().map_err(|error| Error::Other(error.to_string()))?;
        Ok(root.join(MARKERS).join(PathPart::from(container)))
    }

    /// The key of an object. The name stands in it as it is: what the store would write otherwise, it cannot hold.
    fn key(&self, container: &str, name: &str) -> Result<Path, Error> {
        let key = format!("{}/{name}", self.folder(container)?);
        let invalid = |why: &str| Error::Invalid(format!("an object's name {why}: `{name}`"));
        let path = Path::parse(&key)
            .map_err(|_| invalid("has no empty part, and none called `.` or `..`"))?;
        if path.as_ref() != key {
            return Err(invalid("does not end with `/`"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(invalid("and its container have some 1,000 bytes at most"));
        }
        Ok(path)
    }

    async fn is_there(&self, container: &str) -> Result<bool, Error> {
        match self.store.head(&self.marker(container)?).await {
            Ok(_) => Ok(true),
            // Somebody else may have put objects there.
            Err(object_store::Error::NotFound { .. }) => {
                let first = self.store.list(Some(&self.folder(container)?)).next().await;
                Ok(first
                    .transpose()
                    .map_err(|error| failed("cannot look for the container", error))?
                    .is_some())
            }
            Err(error) => Err(failed("cannot look for the container", error)),
        }
    }

    async fn existing(&self, container: &str) -> Result<Path, Error> {
        match self.is_there(container).await? {
            true => self.folder(container),
            false => Err(Error::NoSuchContainer),
        }
    }

    /// What the failure to find an object is: its container may not be there either.
    async fn missing(&self, container: &str, error: object_store::Error) -> Error {
        match error {
            object_store::Error::NotFound { .. } => match self.is_there(container).await {
                Ok(true) => Error::NoSuchObject,
                Ok(false) => Error::NoSuchContainer,
                Err(error) => error,
            },
            error => failed("cannot find the object", error),
        }
    }

    async fn head(&self, container: &str, name: &str) -> Result<ObjectMeta, Error> {
        match self.store.head(&self.key(container, name)?).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.missing(container, error).await),
        }
    }

    /// The names of a container from `first` on, in their order, without those that begin otherwise.
    async fn page(&self, folder: &Path, prefix: &str, after: Option<&str>) -> Result<Page, Error> {
        let begin = after.filter(|after| *after > prefix).unwrap_or(prefix);
        // What is no name begins the list at its beginning; what comes before `begin` is left out below.
        let listed = match Path::parse(format!("{folder}/{begin}")) {
            Ok(offset) if !begin.is_empty() => self.store.list_with_offset(Some(folder), &offset),
            _ => self.store.list(Some(folder)),
        };
        let name = |key: &Path| {
            Some(key.as_ref().strip_prefix(folder.as_ref())?.strip_prefix('/')?.to_owned())
        };
        let named = listed.map_ok(|meta| name(&meta.location).map(|name| object(name, &meta)));
        let mut wanted = named
            .try_filter_map(|object| std::future::ready(Ok(object)))
            .try_skip_while(|object| std::future::ready(Ok(object.name.as_str() < prefix)))
            .try_take_while(|object| std::future::ready(Ok(object.name.starts_with(prefix))));
        let (mut objects, mut has_more) = (Vec::new(), false);
        // The offset itself is not listed.
        if begin == prefix && !prefix.is_empty() && after.is_none_or(|after| after < prefix) {
            objects.extend(self.one(folder, prefix).await?);
        }
        while let Some(object) =
            wanted.try_next().await.map_err(|error| failed("cannot list the container", error))?
        {
            if after.is_some_and(|after| object.name.as_str() <= after) {
                continue;
            }
            if objects.len() == PAGE {
                has_more = true;
                break;
            }
            objects.push(object);
        }
        Ok(Page { objects, has_more })
    }

    async fn one(&self, folder: &Path, name: &str) -> Result<Option<Object>, Error> {
        let whole = format!("{folder}/{name}");
        let key = Path::parse(&whole).ok().filter(|key| key.as_ref() == whole);
        let Some(key) = key else { return Ok(None) };
        match self.store.head(&key).await {
            Ok(meta) => Ok(Some(object(name.to_owned(), &meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("cannot list the container", error)),
        }
    }

    async fn remove(&self, keys: Vec<Path>) -> Result<(), Error> {
        let keys = futures::stream::iter(keys.into_iter().map(Ok)).boxed();
        let mut removed = self.store.delete_stream(keys);
        while let Some(each) = removed.next().await {
            match each {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("cannot remove", error)),
            }
        }
        Ok(())
    }
}

fn object(name: String, meta: &ObjectMeta) -> Object {
    let written_at = u64::try_from(meta.last_modified.timestamp()).unwrap_or_default();
    Object { name, size: meta.size, written_at }
}

impl Blobs for Containers {
    async fn create_container(&self, container: String) -> Result<(), Error> {
        let made = self.store.put(&self.marker(&container)?, PutPayload::new()).await;
        made.map(drop).map_err(|error| failed("cannot make the container", error))
    }

    async fn delete_container(&self, container: String) -> Result<(), Error> {
        let folder = self.folder(&container)?;
        loop {
            let page = self.page(&folder, "", None).await?;
            let keys = page.objects.iter().map(|object| self.key(&container, &object.name));
            self.remove(keys.collect::<Result<_, _>>()?).await?;
            if !page.has_more {
                return self.remove(vec![self.marker(&container)?]).await;
            }
        }
    }

    async fn has_container(&self, container: String) -> Result<bool, Error> {
        self.is_there(&container).await
    }

    async fn put(&self, container: String, name: String, data: Stream) -> Result<u64, Error> {
        self.existing(&container).await?;
        let key = self.key(&container, &name)?;
        let mut upload = Upload::new(Arc::clone(&self.store), key, self.tasks.clone());
        let mut chunks = data.into_chunks();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Error::BrokenOff(error.to_string()))?;
            upload.write(chunk).await?;
        }
        upload.keep().await
    }

    async fn get(
        &self,
        container: String,
        name: String,
        start: u64,
        length: Option<u64>,
    ) -> Result<Found, Error> {
        let key = self.key(&container, &name)?;
        let mut options = GetOptions::default();
        if start > 0 || length.is_some() {
            let ObjectMeta { size, e_tag, .. } = self.head(&container, &name).await?;
            if start > size {
                return Err(Error::Invalid(format!(
                    "the object has {size} bytes, and so no byte {start}"
                )));
            }
            let end = length
                .and_then(|length| start.checked_add(length))
                .map_or(size, |end| end.min(size));
            if start == end {
                return Ok(Found { size, data: Stream::from_bytes(bytes::Bytes::new()) });
            }
            // Of the object that was measured, or none.
            (options.range, options.if_match) = (Some(GetRange::Bounded(start..end)), e_tag);
        }
        let found = match self.store.get_opts(&key, options).await {
            Ok(found) => found,
            Err(error) => return Err(self.missing(&container, error).await),
        };
        let size = found.meta.size;
        let chunks = found.into_stream().map_err(|error| StreamError::Aborted(error.to_string()));
        Ok(Found { size, data: Stream::new(chunks) })
    }

    async fn info(&self, container: String, name: String) -> Result<Object, Error> {
        let meta = self.head(&container, &name).await?;
        Ok(object(name, &meta))
    }

    async fn delete(&self, container: String, names: Vec<String>) -> Result<(), Error> {
        self.existing(&container).await?;
        let keys = names.iter().map(|name| self.key(&container, name));
        self.remove(keys.collect::<Result<_, _>>()?).await
    }

    async fn list(
        &self,
        container: String,
        prefix: String,
        after: Option<String>,
    ) -> Result<Page, Error> {
        let folder = self.existing(&container).await?;
        self.page(&folder, &prefix, after.as_deref()).await
    }

    async fn copy(
        &self,
        container: String,
        name: String,
        to_container: String,
        to_name: String,
    ) -> Result<(), Error> {
        self.existing(&to_container).await?;
        let (from, to) = (self.key(&container, &name)?, self.key(&to_container, &to_name)?);
        if from == to {
            return self.head(&container, &name).await.map(drop);
        }
        match self.store.copy(&from, &to).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.missing(&container, error).await),
        }
    }
}
