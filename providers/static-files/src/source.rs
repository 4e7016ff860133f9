//! Where files come from.

use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use blobstore::blobs::{Client, Error, Found};
use futures::TryStreamExt as _;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use wicker_provider::ProviderError;
use wicker_provider::lattice::call::{ByteStream, CallError, Status, StreamError};

use crate::Config;

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// Where files come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Its path, without symbolic links.
    Directory(PathBuf),
    Blobs {
        container: String,
        prefix: String,
        client: ArcSwapOption<Client>,
    },
}

/// One file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) size: u64,
    /// Since the beginning of 1970.
    pub(crate) modified: Duration,
    /// With its quotes.
    pub(crate) etag: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(File),
    Blob(String),
}

impl Source {
    pub(crate) async fn open(config: &Config) -> Result<Self, ProviderError> {
        match (&config.directory, &config.container) {
            (Some(directory), None) => {
                let real = fs::canonicalize(directory).await;
                let attempt = format!("cannot open the directory `{}`", directory.display());
                real.map(Self::Directory).map_err(|error| ProviderError::backend(attempt, error))
            }
            (None, Some(container)) => Ok(Self::Blobs {
                container: container.clone(),
                prefix: config.prefix.clone(),
                client: ArcSwapOption::empty(),
            }),
            _ => Err(ProviderError::config("write one of `directory` and `container`")),
        }
    }

    /// Where the blobs are.
    pub(crate) fn reach(&self, to: Client) -> Result<(), ProviderError> {
        match self {
            Self::Blobs { client, .. } => {
                client.store(Some(Arc::new(to)));
                Ok(())
            }
            Self::Directory(_) => Err(ProviderError::config(
                "its files are in a directory: write `container` for blobs",
            )),
        }
    }

    /// A file by its name, if it is there and within reach.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Entry>, CallError> {
        match self {
            Self::Directory(root) => file(root, name).await,
            Self::Blobs { container, prefix, .. } => {
                let name = format!("{prefix}{name}");
                match self.client()?.info(container.clone(), name.clone()).await? {
                    Ok(object) => {
                        let modified = Duration::from_secs(object.written_at);
                        // The store tells seconds only: two versions within one may look alike.
                        let etag = format!("W/\"{:x}-{:x}\"", object.size, object.written_at);
                        Ok(Some(Entry {
                            size: object.size,
                            modified,
                            etag,
                            place: Place::Blob(name),
                        }))
                    }
                    Err(Error::NoSuchObject | Error::NoSuchContainer | Error::Invalid(_)) => {
                        Ok(None)
                    }
                    Err(error) => Err(unavailable(&error)),
                }
            }
        }
    }

    /// So many bytes of it, from `start`.
    pub(crate) async fn read(
        &self,
        entry: Entry,
        start: u64,
        length: u64,
    ) -> Result<ByteStream, CallError> {
        match (entry.place, self) {
            (Place::File(mut file), _) => {
                file.seek(SeekFrom::Start(start)).await.map_err(|error| failed(&error))?;
                let chunks = ReaderStream::with_capacity(file.take(length), CHUNK);
                Ok(ByteStream::new(chunks.map_err(|error| StreamError::Aborted(error.to_string()))))
            }
            (Place::Blob(name), Self::Blobs { container, .. }) => {
                let found =
                    self.client()?.get(container.clone(), name, start, Some(length)).await?;
                let Found { data, .. } = found.map_err(|error| unavailable(&error))?;
                Ok(data.into_chunks())
            }
            (Place::Blob(_), Self::Directory(_)) => {
                Err(CallError::new(Status::NotFound, "a directory has no blobs"))
            }
        }
    }

    fn client(&self) -> Result<Arc<Client>, CallError> {
        let client = match self {
            Self::Blobs { client, .. } => client.load_full(),
            Self::Directory(_) => None,
        };
        client.ok_or_else(|| {
            let message = "static-files has no link to blobs: add `links: {NAME: {wicker:blobstore: TARGET}}`";
            CallError::new(Status::Unavailable, message)
        })
    }
}

fn unavailable(error: &Error) -> CallError {
    CallError::new(Status::Unavailable, format!("cannot read the blob: {error:?}"))
}

fn failed(error: &std::io::Error) -> CallError {
    CallError::new(Status::Unavailable, format!("cannot read the file: {error}"))
}

/// A file below `root`, where symbolic links have led.
async fn file(root: &Path, name: &str) -> Result<Option<Entry>, CallError> {
    let real = match fs::canonicalize(root.join(name)).await {
        Ok(real) => real,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    if !real.starts_with(root) {
        return Ok(None);
    }
    let file = match File::open(&real).await {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let metadata = file.metadata().await.map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default();
    let etag = format!("\"{:x}-{:x}\"", metadata.len(), modified.as_nanos());
    Ok(Some(Entry { size: metadata.len(), modified, etag, place: Place::File(file) }))
}

/// What a stranger is told nothing of: it is as if the file were not there.
fn is_absence(error: &std::io::Error) -> bool {
    use ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}
