//! One link's containers: folders, and objects as files in them.

use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use blobstore::blobs::{Blobs, Error, Found, Object, Page};
use blobstore::{PAGE, allow};
use futures::{StreamExt as _, TryStreamExt as _};
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;
use wicker_provider::Stream;
use wicker_provider::lattice::call::StreamError;
use wicker_provider::lattice::escape;

use crate::LinkConfig;

/// The longest name of a file, with room for what file systems add.
const NAME_MAX: usize = 240;

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// One link's containers.
#[derive(Debug)]
pub struct Containers {
    containers: PathBuf,
    /// What is being written, on the same file system.
    incoming: PathBuf,
    config: LinkConfig,
}

impl Containers {
    pub(crate) async fn open(folder: &Path, config: LinkConfig) -> io::Result<Self> {
        let (containers, incoming) = (folder.join("containers"), folder.join("incoming"));
        fs::create_dir_all(&containers).await?;
        fs::create_dir_all(&incoming).await?;
        Ok(Self { containers, incoming, config })
    }

    fn container(&self, container: &str) -> Result<PathBuf, Error> {
        let LinkConfig { prefix, containers } = &self.config;
        allow(containers, container)?;
        Ok(self.containers.join(file_name(&format!("{prefix}{container}"))?))
    }

    async fn existing(&self, container: &str) -> Result<PathBuf, Error> {
        let folder = self.container(container)?;
        if is_there(&folder).await? { Ok(folder) } else { Err(Error::NoSuchContainer) }
    }

    async fn object(&self, container: &str, name: &str) -> Result<PathBuf, Error> {
        Ok(self.existing(container).await?.join(file_name(name)?))
    }

    /// A file that is gone when it is dropped, unless it was given a name.
    fn new_file(&self) -> Result<(File, TempPath), Error> {
        let made = NamedTempFile::new_in(&self.incoming);
        let (file, path) = made.map_err(|error| other("cannot make a file", &error))?.into_parts();
        Ok((File::from_std(file), path))
    }

    /// Gives a file that is complete its name, in one step, and makes sure of both.
    async fn name(&self, file: File, from: TempPath, to: PathBuf) -> Result<(), Error> {
        let failed = |error: io::Error| other("cannot keep the object", &error);
        file.sync_all().await.map_err(failed)?;
        let folder = to.parent().map(Path::to_owned);
        from.persist(&to).map_err(|error| match error.error.kind() {
            ErrorKind::NotFound => Error::NoSuchContainer,
            _ => failed(error.error),
        })?;
        if let Some(folder) = folder {
            let folder = File::open(folder).await.map_err(failed)?;
            folder.sync_all().await.map_err(failed)?;
        }
        Ok(())
    }
}

/// The name of the file that keeps what is called `name`. A letter in front, so that none is empty or hidden.
fn file_name(name: &str) -> Result<String, Error> {
    let file = format!("b{}", escape::print(name));
    if file.len() > NAME_MAX {
        return Err(Error::Invalid(format!("`{name}` is too long for a file's name")));
    }
    Ok(file)
}

fn name_of(file: &str) -> Option<String> {
    escape::parse(file.strip_prefix('b')?)
}

async fn is_there(path: &Path) -> Result<bool, Error> {
    fs::try_exists(path).await.map_err(|error| other("cannot look for the container", &error))
}

fn other(attempt: &str, error: &io::Error) -> Error {
    Error::Other(format!("{attempt}: {error}"))
}

/// What the failure to open an object is.
fn absent(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NoSuchObject,
        _ => other("cannot open the object", error),
    }
}

fn info(name: String, metadata: &std::fs::Metadata) -> Object {
    let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written_at = written.map_or(0, |since| since.as_secs());
    Object { name, size: metadata.len(), written_at }
}

/// Removes what may not be there.
async fn forget(removed: impl Future<Output = io::Result<()>>) -> Result<(), Error> {
    match removed.await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(other("cannot remove", &error)),
        _ => Ok(()),
    }
}

impl Blobs for Containers {
    async fn create_container(&self, container: String) -> Result<(), Error> {
        let made = fs::create_dir_all(self.container(&container)?).await;
        made.map_err(|error| other("cannot make the container", &error))
    }

    async fn delete_container(&self, container: String) -> Result<(), Error> {
        forget(fs::remove_dir_all(self.container(&container)?)).await
    }

    async fn has_container(&self, container: String) -> Result<bool, Error> {
        is_there(&self.container(&container)?).await
    }

    async fn put(&self, container: String, name: String, data: Stream) -> Result<u64, Error> {
        let target = self.object(&container, &name).await?;
        let (mut file, path) = self.new_file()?;
        let (mut chunks, mut size) = (data.into_chunks(), 0);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Error::BrokenOff(error.to_string()))?;
            let written = file.write_all(&chunk).await;
            written.map_err(|error| other("cannot write the object", &error))?;
            size += chunk.len() as u64;
        }
        file.flush().await.map_err(|error| other("cannot write the object", &error))?;
        self.name(file, path, target).await?;
        Ok(size)
    }

    async fn get(
        &self,
        container: String,
        name: String,
        start: u64,
        length: Option<u64>,
    ) -> Result<Found, Error> {
        let path = self.object(&container, &name).await?;
        let mut file = File::open(&path).await.map_err(|error| absent(&error))?;
        let size = file.metadata().await.map_err(|error| absent(&error))?.len();
        if start > size {
            return Err(Error::Invalid(format!(
                "the object has {size} bytes, and so no byte {start}"
            )));
        }
        let sought = file.seek(SeekFrom::Start(start)).await;
        sought.map_err(|error| other("cannot read the object", &error))?;
        let part = file.take(length.unwrap_or(u64::MAX));
        let chunks = ReaderStream::with_capacity(part, CHUNK);
        let data = Stream::new(chunks.map_err(|error| StreamError::Aborted(error.to_string())));
        Ok(Found { size, data })
    }

    async fn info(&self, container: String, name: String) -> Result<Object, Error> {
        let path = self.object(&container, &name).await?;
        let metadata = fs::metadata(path).await.map_err(|error| absent(&error))?;
        Ok(info(name, &metadata))
    }

    async fn delete(&self, container: String, names: Vec<String>) -> Result<(), Error> {
        for name in names {
            forget(fs::remove_file(self.object(&container, &name).await?)).await?;
        }
        Ok(())
    }

    async fn list(
        &self,
        container: String,
        prefix: String,
        after: Option<String>,
    ) -> Result<Page, Error> {
        let folder = self.existing(&container).await?;
        let failed = |error: io::Error| other("cannot list the container", &error);
        let mut files = fs::read_dir(&folder).await.map_err(failed)?;
        let mut names = Vec::new();
        while let Some(file) = files.next_entry().await.map_err(failed)? {
            let name = file.file_name().to_str().and_then(name_of);
            let is_wanted = |name: &String| {
                name.starts_with(&prefix) && after.as_ref().is_none_or(|after| name > after)
            };
            names.extend(name.filter(is_wanted));
        }
        names.sort_unstable();
        let has_more = names.len() > PAGE;
        let mut objects = Vec::new();
        for name in names.into_iter().take(PAGE) {
            match fs::metadata(folder.join(file_name(&name)?)).await {
                Ok(metadata) => objects.push(info(name, &metadata)),
                // It was removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Page { objects, has_more })
    }

    async fn copy(
        &self,
        container: String,
        name: String,
        to_container: String,
        to_name: String,
    ) -> Result<(), Error> {
        let from = self.object(&container, &name).await?;
        let to = self.object(&to_container, &to_name).await?;
        let mut source = File::open(from).await.map_err(|error| absent(&error))?;
        let (mut file, path) = self.new_file()?;
        let copied = tokio::io::copy(&mut source, &mut file).await;
        copied.map_err(|error| other("cannot copy the object", &error))?;
        file.flush().await.map_err(|error| other("cannot copy the object", &error))?;
        self.name(file, path, to).await
    }
}
