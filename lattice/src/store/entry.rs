//! A record as it is read and written, and how that fails.

use bytes::Bytes;

use crate::store::key::Record;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<R> {
    /// Its key.
    pub key: String,
    /// What it says.
    pub record: R,
    /// What a write based on it must name.
    pub revision: u64,
}

/// A record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote the key first. Read it again.
    #[error("`{key}` was changed by somebody else meanwhile")]
    Conflict {
        /// Which key.
        key: String,
    },
    /// JetStream did not answer. A write may have been applied.
    #[error("cannot reach the lattice's state for `{key}`")]
    Unavailable {
        /// Which key or filter.
        key: String,
        /// What NATS said.
        #[source]
        source: async_nats::Error,
    },
    /// The value is not what this version of Wicker writes there.
    #[error("cannot read `{key}`")]
    Unreadable {
        /// Which key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    pub(super) fn unavailable(key: &str, source: impl Into<async_nats::Error>) -> Self {
        Self::Unavailable { key: key.to_owned(), source: source.into() }
    }

    pub(super) fn conflict(key: &str) -> Self {
        Self::Conflict { key: key.to_owned() }
    }
}

pub(super) fn encode<R: Record>(key: &str, record: &R) -> Result<Bytes, StoreError> {
    let json = serde_json::to_vec(record);
    json.map(Into::into).map_err(|source| StoreError::Unreadable { key: key.to_owned(), source })
}

pub(super) fn decode<R: serde::de::DeserializeOwned>(
    key: &str,
    value: &[u8],
) -> Result<R, StoreError> {
    serde_json::from_slice(value)
        .map_err(|source| StoreError::Unreadable { key: key.to_owned(), source })
}
