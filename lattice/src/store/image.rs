//! The bytes of components, by digest, in the lattice's object store: any host can fetch what it is told to run.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::store::bucket::Store;

/// Bytes of one component at most.
pub const IMAGE_BYTES_MAX: usize = 256 << 20;

/// A component's bytes could not be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Larger than [`IMAGE_BYTES_MAX`].
    #[error("component of {bytes} bytes is larger than the limit of {IMAGE_BYTES_MAX} bytes")]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// The object store did not answer, or has no such object.
    #[error("cannot fetch or store component {digest} in the lattice")]
    Unavailable {
        /// Which.
        digest: String,
        /// What NATS said.
        #[source]
        source: async_nats::Error,
    },
    /// What came back is not what was asked for.
    #[error("component {digest} came back from the lattice with other bytes: {found}")]
    Corrupt {
        /// What was asked for.
        digest: String,
        /// The digest of what came.
        found: String,
    },
}

/// `sha256:<hex>` of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Store {
    /// Stores a component's bytes and returns their digest. Bytes that are already there are not sent again.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn put_image(&self, bytes: &[u8]) -> Result<String, ImageError> {
        if bytes.len() > IMAGE_BYTES_MAX {
            return Err(ImageError::TooLarge { bytes: bytes.len() });
        }
        let digest = digest(bytes);
        let is_there =
            self.images.info(object_name(&digest)).await.is_ok_and(|info| info.size == bytes.len());
        if !is_there {
            let mut reader = bytes;
            let put = self.images.put(object_name(&digest).as_str(), &mut reader).await;
            put.map_err(|error| unavailable(&digest, error))?;
        }
        Ok(digest)
    }

    /// Fetches a component's bytes and checks them against their digest.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn get_image(&self, wanted: &str) -> Result<Bytes, ImageError> {
        // Never closed.
        let _permit = self.fetching.acquire().await;
        let object = self.images.get(object_name(wanted)).await;
        let object = object.map_err(|error| unavailable(wanted, error))?;
        let mut bytes = Vec::new();
        let mut limited = object.take(IMAGE_BYTES_MAX as u64 + 1);
        limited.read_to_end(&mut bytes).await.map_err(|error| unavailable(wanted, error))?;
        let found = digest(&bytes);
        if found != wanted {
            return Err(ImageError::Corrupt { digest: wanted.to_owned(), found });
        }
        Ok(bytes.into())
    }
}

fn object_name(digest: &str) -> String {
    digest.replace(':', "-")
}

fn unavailable(digest: &str, source: impl Into<async_nats::Error>) -> ImageError {
    ImageError::Unavailable { digest: digest.to_owned(), source: source.into() }
}
