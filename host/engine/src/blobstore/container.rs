//! Containers, the names in them, and what is done to whole containers and objects.

use std::collections::VecDeque;
use std::sync::Arc;

use wasmtime::component::Resource;
use wicker_lattice::value::Encode;

use super::incoming::IncomingValue;
use super::outgoing::OutgoingValue;
use super::wire::{Blobs, Failure, Found, Object, Page, Refusal};
use super::{Answer, wasi};
use crate::instance::Guest;
use wasi::types::{ContainerMetadata, ObjectId, ObjectMetadata};

/// Names that one call gives to a guest at most, however many it asks for.
const NAMES_MAX: u64 = 10_000;

/// A container, by its name.
#[derive(Debug)]
pub struct Container(Arc<str>);

/// The names of a container's objects, read page by page.
#[derive(Debug)]
pub struct Names {
    container: Arc<str>,
    page: VecDeque<String>,
    /// Where the next page begins; `None` before the first.
    after: Option<String>,
    has_more: bool,
}

impl Names {
    /// Takes up to `count` names. Whether that was the end is in `self`.
    async fn take(&mut self, blobs: &Blobs, count: u64) -> Result<Vec<String>, Failure> {
        let count = usize::try_from(count.min(NAMES_MAX)).unwrap_or_default();
        let mut taken = Vec::new();
        while taken.len() < count && (self.has_more || !self.page.is_empty()) {
            if self.page.is_empty() {
                self.turn(blobs).await?;
            }
            let len = self.page.len().min(count - taken.len());
            taken.extend(self.page.drain(..len));
        }
        Ok(taken)
    }

    /// Reads the next page.
    async fn turn(&mut self, blobs: &Blobs) -> Result<(), Failure> {
        let Page { objects, has_more } = blobs.list(&self.container, self.after.clone()).await?;
        self.has_more = has_more && !objects.is_empty();
        self.page = objects.into_iter().map(|object| object.name).collect();
        self.after = self.page.back().cloned();
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.page.is_empty() && !self.has_more
    }
}

impl Blobs {
    async fn list(&self, container: &str, after: Option<String>) -> Result<Page, Failure> {
        self.call("list", (container, "", after)).await
    }

    async fn delete(&self, container: &str, names: &[String]) -> Result<(), Failure> {
        self.call("delete", (container, names)).await
    }

    async fn copy(&self, src: &ObjectId, dest: &ObjectId) -> Result<(), Failure> {
        let (from, to) = ((&src.container, &src.object), (&dest.container, &dest.object));
        self.call("copy", (from.0, from.1, to.0, to.1)).await
    }

    async fn rename(&self, src: ObjectId, dest: &ObjectId) -> Result<(), Failure> {
        self.copy(&src, dest).await?;
        if (&src.container, &src.object) == (&dest.container, &dest.object) {
            return Ok(());
        }
        self.delete(&src.container, &[src.object]).await
    }

    async fn clear(&self, container: &str) -> Result<(), Failure> {
        loop {
            let Page { objects, has_more } = self.list(container, None).await?;
            let names: Vec<String> = objects.into_iter().map(|object| object.name).collect();
            self.delete(container, &names).await?;
            if !has_more {
                return Ok(());
            }
        }
    }
}

impl Guest {
    fn container(&mut self, this: &Resource<Container>) -> wasmtime::Result<Arc<str>> {
        Ok(Arc::clone(&self.wasi.table().get(this)?.0))
    }

    fn new_container(&mut self, name: String) -> Answer<Resource<Container>> {
        Ok(Ok(self.wasi.table().push(Container(name.into()))?))
    }

    /// One call that gives nothing but its success.
    async fn do_it(&mut self, function: &'static str, params: impl Encode) -> Result<(), String> {
        Ok(self.blobs()?.call(function, params).await?)
    }

    async fn has_container(&mut self, name: &str) -> Result<bool, String> {
        Ok(self.blobs()?.call("has-container", (name,)).await?)
    }

    async fn object(&mut self, container: &str, name: &str) -> Result<Object, Failure> {
        self.blobs()?.call("info", (container, name)).await
    }

    /// Reads the bytes from `start` to `end`, both included.
    async fn read(
        &mut self,
        (container, name): (&str, &str),
        start: u64,
        end: u64,
    ) -> Result<IncomingValue, String> {
        let Some(last) = end.checked_sub(start) else {
            return Err(format!(
                "a value from byte {start} to byte {end}: it would end before it begins"
            ));
        };
        // To the very end of the numbers: all there is.
        let length = last.checked_add(1);
        let Found { size, data } =
            self.blobs()?.call("get", (container, name, start, length)).await?;
        let rest = size.saturating_sub(start);
        let bytes = length.map_or(rest, |length| length.min(rest));
        Ok(IncomingValue { data: data.into_chunks(), bytes })
    }
}

impl wasi::container::Host for Guest {}

impl wasi::container::HostContainer for Guest {
    async fn name(&mut self, this: Resource<Container>) -> Answer<String> {
        Ok(Ok(self.container(&this)?.as_ref().to_owned()))
    }

    async fn info(&mut self, this: Resource<Container>) -> Answer<ContainerMetadata> {
        let name = self.container(&this)?.as_ref().to_owned();
        Ok(match self.has_container(&name).await {
            // Nobody keeps when a container was made.
            Ok(true) => Ok(ContainerMetadata { name, created_at: 0 }),
            Ok(false) => Err(Failure::Refused(Refusal::NoSuchContainer).into()),
            Err(error) => Err(error),
        })
    }

    async fn get_data(
        &mut self,
        this: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Answer<Resource<IncomingValue>> {
        let container = self.container(&this)?;
        match self.read((&container, &name), start, end).await {
            Ok(value) => Ok(Ok(self.wasi.table().push(value)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write_data(
        &mut self,
        this: Resource<Container>,
        name: String,
        data: Resource<OutgoingValue>,
    ) -> Answer<()> {
        let container = self.container(&this)?.as_ref().to_owned();
        match self.blobs() {
            Ok(blobs) => self.write(blobs, (container, name), &data).await,
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn list_objects(&mut self, this: Resource<Container>) -> Answer<Resource<Names>> {
        let container = self.container(&this)?;
        let blobs = match self.blobs() {
            Ok(blobs) => blobs,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut names = Names { container, page: VecDeque::new(), after: None, has_more: true };
        if let Err(error) = names.turn(&blobs).await {
            return Ok(Err(error.into()));
        }
        Ok(Ok(self.wasi.table().push(names)?))
    }

    async fn delete_object(&mut self, this: Resource<Container>, name: String) -> Answer<()> {
        self.delete_objects(this, vec![name]).await
    }

    async fn delete_objects(
        &mut self,
        this: Resource<Container>,
        names: Vec<String>,
    ) -> Answer<()> {
        let container = self.container(&this)?;
        Ok(self.do_it("delete", (container.as_ref(), names)).await)
    }

    async fn has_object(&mut self, this: Resource<Container>, name: String) -> Answer<bool> {
        let container = self.container(&this)?;
        Ok(match self.object(&container, &name).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused(Refusal::NoSuchObject)) => Ok(false),
            Err(error) => Err(error.into()),
        })
    }

    async fn object_info(
        &mut self,
        this: Resource<Container>,
        name: String,
    ) -> Answer<ObjectMetadata> {
        let container = self.container(&this)?;
        let object = self.object(&container, &name).await;
        Ok(object.map_err(String::from).map(|object| ObjectMetadata {
            name: object.name,
            container: container.as_ref().to_owned(),
            created_at: object.written_at,
            size: object.size,
        }))
    }

    async fn clear(&mut self, this: Resource<Container>) -> Answer<()> {
        let container = self.container(&this)?;
        Ok(match self.blobs() {
            Ok(blobs) => blobs.clear(&container).await.map_err(String::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn drop(&mut self, this: Resource<Container>) -> wasmtime::Result<()> {
        self.wasi.table().delete(this)?;
        Ok(())
    }
}

impl Guest {
    /// Takes up to `count` names, and says whether those were the last.
    async fn names(&mut self, this: &Resource<Names>, count: u64) -> Answer<(Vec<String>, bool)> {
        let blobs = match self.blobs() {
            Ok(blobs) => blobs,
            Err(error) => return Ok(Err(error.into())),
        };
        let names = self.wasi.table().get_mut(this)?;
        let taken = names.take(&blobs, count).await;
        let is_over = names.is_over();
        Ok(taken.map(|taken| (taken, is_over)).map_err(String::from))
    }
}

impl wasi::container::HostStreamObjectNames for Guest {
    async fn read_stream_object_names(
        &mut self,
        this: Resource<Names>,
        len: u64,
    ) -> Answer<(Vec<String>, bool)> {
        self.names(&this, len).await
    }

    async fn skip_stream_object_names(
        &mut self,
        this: Resource<Names>,
        num: u64,
    ) -> Answer<(u64, bool)> {
        let skipped = self.names(&this, num).await?;
        Ok(skipped.map(|(names, is_over)| (names.len() as u64, is_over)))
    }

    async fn drop(&mut self, this: Resource<Names>) -> wasmtime::Result<()> {
        self.wasi.table().delete(this)?;
        Ok(())
    }
}

impl wasi::blobstore::Host for Guest {
    async fn create_container(&mut self, name: String) -> Answer<Resource<Container>> {
        match self.do_it("create-container", (name.as_str(),)).await {
            Ok(()) => self.new_container(name),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn get_container(&mut self, name: String) -> Answer<Resource<Container>> {
        match self.has_container(&name).await {
            Ok(true) => self.new_container(name),
            Ok(false) => Ok(Err(Failure::Refused(Refusal::NoSuchContainer).into())),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn delete_container(&mut self, name: String) -> Answer<()> {
        Ok(self.do_it("delete-container", (name,)).await)
    }

    async fn container_exists(&mut self, name: String) -> Answer<bool> {
        Ok(self.has_container(&name).await)
    }

    async fn copy_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        Ok(match self.blobs() {
            Ok(blobs) => blobs.copy(&src, &dest).await.map_err(String::from),
            Err(error) => Err(error.into()),
        })
    }

    /// By a copy: a failure between the two leaves both.
    async fn move_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        Ok(match self.blobs() {
            Ok(blobs) => blobs.rename(src, &dest).await.map_err(String::from),
            Err(error) => Err(error.into()),
        })
    }
}
