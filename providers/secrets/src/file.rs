//! A file of secrets: an env file, or the same sealed with age. A host follows it; `wicker secret` changes it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use wicker_lattice::secret::{Held, Secret, SecretId};
use wicker_process::Tasks;
use zeroize::Zeroizing;

use crate::key::{Key, KeyError};
use crate::text::{self, TextError};

/// Bytes of the file at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How often a host looks whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the file is, and what opens it.
#[derive(Debug, Clone)]
pub struct FileSecrets {
    path: PathBuf,
    /// `None`: it is in the clear.
    key: Option<Arc<Key>>,
}

/// A file of secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot use the file of secrets {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{} is larger than 16 MiB: it is no file of secrets", .0.display())]
    Large(PathBuf),
    /// A line of it is none.
    #[error("cannot read the secrets in {}", path.display())]
    Text {
        /// Which.
        path: PathBuf,
        /// Where, and why.
        #[source]
        source: TextError,
    },
    /// It cannot be opened or sealed.
    #[error("cannot open the secrets in {}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A value that such a file cannot hold.
    #[error("the value is no text, and a file of secrets holds only text")]
    NoText,
}

/// What tells a file from what it was.
type Stamp = (u64, u64, i64, i64);

impl FileSecrets {
    /// The file at `path`: sealed where a key is given, else in the clear.
    #[must_use]
    pub fn new(path: PathBuf, key: Option<Key>) -> Self {
        Self { path, key: key.map(Arc::new) }
    }

    /// Which file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything in it.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn read(&self) -> Result<BTreeMap<SecretId, Secret>, FileError> {
        let failed = |source| FileError::File { path: self.path.clone(), source };
        if fs::metadata(&self.path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(FileError::Large(self.path.clone()));
        }
        let bytes = Zeroizing::new(fs::read(&self.path).map_err(failed)?);
        let plain = match &self.key {
            Some(key) => key.open(&bytes).map_err(|source| self.key_error(source))?,
            None => bytes,
        };
        let text = std::str::from_utf8(&plain);
        let text =
            text.map_err(|error| failed(std::io::Error::new(ErrorKind::InvalidData, error)))?;
        text::read(text).map_err(|source| FileError::Text { path: self.path.clone(), source })
    }

    /// Changes what is in it, and makes it where it is not there. Beside it and renamed: whoever reads meanwhile reads the
    /// one or the other.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<SecretId, Secret>) -> T,
    ) -> Result<T, FileError> {
        let failed = |source| FileError::File { path: self.path.clone(), source };
        let mut values = match self.read() {
            Err(FileError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                BTreeMap::new()
            }
            values => values?,
        };
        let outcome = change(&mut values);
        let text = text::write(&values).ok_or(FileError::NoText)?;
        let sealed;
        let bytes = match &self.key {
            Some(key) => {
                let recipient = key.recipient().ok_or(KeyError::Sealed);
                let text = recipient.and_then(|recipient| recipient.seal(text.as_bytes()));
                sealed = text.map_err(|source| self.key_error(source))?;
                sealed.as_bytes()
            }
            None => text.as_bytes(),
        };
        let fresh = self.path.with_extension(format!("{}.partial", std::process::id()));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        let written = file.and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)
        });
        written.map_err(failed)?;
        Ok(outcome)
    }

    fn key_error(&self, source: KeyError) -> FileError {
        FileError::Key { path: self.path.clone(), source }
    }

    /// Reads the file once, so that a host that cannot does not start.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn hold(&self) -> Result<Arc<Held>, FileError> {
        let held = Arc::new(Held::default());
        held.replace(self.read()?);
        Ok(held)
    }

    /// Reads the file again whenever it has changed, until the tasks are asked to stop. What cannot be read leaves what was
    /// there.
    ///
    /// # Errors
    /// Never.
    pub async fn follow(self, held: Arc<Held>, tasks: Tasks) -> Result<(), Infallible> {
        let mut seen: Option<Stamp> = None;
        loop {
            let now = fs::metadata(&self.path).ok().map(|found| stamp(&found));
            if now != seen {
                seen = now;
                match self.read() {
                    Ok(values) => {
                        info!("read {} secrets from {}", values.len(), self.path.display());
                        held.replace(values);
                    }
                    Err(error) => {
                        warn!(error = &error as &dyn Error, "secrets stay as they are");
                    }
                }
            }
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

fn stamp(found: &Metadata) -> Stamp {
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec())
}
