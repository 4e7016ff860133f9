//! The key of sealed secrets: an age identity in a file that only its owner may read.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;
use age::x25519;
use wicker_lattice::secret::SECRET_BYTES_MAX;
use zeroize::Zeroizing;

/// Bytes of a key file at most.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Opens what was sealed for it. Holds one identity or more; new things are sealed for the first.
pub struct Key(Vec<x25519::Identity>);

/// Seals, and cannot open: the public half of a [`Key`].
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("others than its owner may read the key file {path}: chmod 600 {path}", path = .0.display())]
    Open(PathBuf),
    /// There is no key in it.
    #[error("the file {} holds no age key (a line AGE-SECRET-KEY-1...)", .0.display())]
    Empty(PathBuf),
    /// What should be sealed for is no recipient.
    #[error("`{0}` is no age recipient")]
    Recipient(String),
    /// What was sealed cannot be opened.
    #[error("it is sealed for another key, or damaged")]
    Sealed,
    /// It cannot be sealed.
    #[error("cannot seal it")]
    Seal(#[source] Box<age::EncryptError>),
}

impl Key {
    /// Reads a key file, as `age-keygen` and [`Key::make`] write it; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, others may read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let identities: Vec<_> = lines.filter_map(|line| line.parse().ok()).collect();
        if identities.is_empty() {
            Err(KeyError::Empty(path.to_owned()))
        } else {
            Ok(Some(Self(identities)))
        }
    }

    /// Makes a key and writes it to a new file.
    ///
    /// # Errors
    /// There is such a file, or it cannot be written.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let identity = x25519::Identity::generate();
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let secret = identity.to_string();
        let text = Zeroizing::new(format!(
            "# opens the secrets that are sealed for {}\n{}\n",
            identity.to_public(),
            secret.expose_secret()
        ));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self(vec![identity]))
    }

    /// For whom new secrets are sealed, so that this opens them.
    #[must_use]
    pub fn recipient(&self) -> Option<Recipient> {
        self.0.first().map(|identity| Recipient(identity.to_public()))
    }

    /// Whether it opens what is sealed for `recipient`.
    #[must_use]
    pub fn opens(&self, recipient: &str) -> bool {
        self.0.iter().any(|identity| identity.to_public().to_string() == recipient)
    }

    /// Opens an age file, armored or not.
    ///
    /// # Errors
    /// [`KeyError::Sealed`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        let armored = age::armor::ArmoredReader::new(sealed);
        let decryptor = age::Decryptor::new_buffered(armored).map_err(|_| KeyError::Sealed)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX.min(sealed.len())));
        let mut reader = decryptor.decrypt(identities).map_err(|_| KeyError::Sealed)?;
        reader.read_to_end(&mut plain).map_err(|_| KeyError::Sealed)?;
        Ok(plain)
    }
}

impl Recipient {
    /// Encrypts; the result is text.
    ///
    /// # Errors
    /// [`KeyError::Seal`].
    pub fn seal(&self, plain: &[u8]) -> Result<String, KeyError> {
        age::encrypt_and_armor(&self.0, plain).map_err(|error| KeyError::Seal(Box::new(error)))
    }
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.parse().map(Self).map_err(|_| KeyError::Recipient(text.to_owned()))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn what_is_sealed_is_opened_by_the_key_and_by_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let key = Key::make(&one).unwrap();
        let sealed = key.recipient().unwrap().seal(b"hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        let again = Key::read(&one).unwrap().unwrap();
        assert_eq!(&**again.open(sealed.as_bytes()).unwrap(), b"hunter2");
        let other = Key::make(&other).unwrap();
        assert!(matches!(other.open(sealed.as_bytes()), Err(KeyError::Sealed)));
        let recipient: Recipient = key.recipient().unwrap().to_string().parse().unwrap();
        assert!(key.opens(&recipient.to_string()) && !other.opens(&recipient.to_string()));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(Key::read(&path).unwrap().is_none());
        Key::make(&path).unwrap();
        assert!(matches!(Key::make(&path), Err(KeyError::File { .. })), "none is overwritten");
        set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::read(&path), Err(KeyError::Open(_))));
    }
}
