//! A compare-and-swap as a handle without state in the provider.

use bytes::Bytes;
use wicker_provider::Stateless;
use wicker_provider::lattice::value::{decode_exact, encode};

use crate::backend::Version;

/// What a `cas` handle says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cas {
    /// In which bucket.
    pub bucket: String,
    /// Of which key.
    pub key: String,
    /// What was there.
    pub version: Version,
}

impl Stateless for Cas {
    fn to_token(&self) -> Bytes {
        encode(&(&self.bucket, &self.key, &self.version))
    }

    fn from_token(token: Bytes) -> Option<Self> {
        let (bucket, key, version) = decode_exact(&token).ok()?;
        Some(Self { bucket, key, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_is_its_token() {
        for version in [None, Some(Bytes::from_static(b"7"))] {
            let cas = Cas { bucket: "b".to_owned(), key: "k".to_owned(), version };
            assert_eq!(Cas::from_token(cas.to_token()), Some(cas));
        }
        assert_eq!(Cas::from_token(Bytes::from_static(b"\x01b")), None);
    }
}
