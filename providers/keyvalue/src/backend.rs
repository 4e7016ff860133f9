//! What a backend has to say.

use std::future::Future;

use bytes::Bytes;

/// One link's connection to a store of values.
///
/// Every backend promises: a read that begins after a write was acknowledged, through the same link, sees it or a later
/// one; `increment` and `swap` lose no update whoever else writes. Durability is each backend's own to state.
pub trait KeyValue: Send + Sync + 'static {
    /// Whether `bucket` may be used. Makes nothing: a bucket exists when something is in it.
    fn open(&self, bucket: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The value, if there is one.
    fn get(
        &self,
        bucket: &str,
        key: &str,
    ) -> impl Future<Output = Result<Option<Bytes>, Failure>> + Send;

    /// Writes a value over whatever is there.
    fn set(
        &self,
        bucket: &str,
        key: &str,
        value: Bytes,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Removes a value. One that is not there is fine.
    fn delete(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// One page of keys, from `cursor` (0 at first).
    fn keys(&self, bucket: &str, cursor: u64)
    -> impl Future<Output = Result<Page, Failure>> + Send;

    /// Adds `delta` to the number and returns the sum; [`crate::number`] says what a number is.
    fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> impl Future<Output = Result<i64, Failure>> + Send;

    /// What is there now, for [`KeyValue::swap`] to compare with.
    fn version(
        &self,
        bucket: &str,
        key: &str,
    ) -> impl Future<Output = Result<Version, Failure>> + Send;

    /// Writes `value` if what is there is still of version `expected`.
    fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: &Version,
        value: Bytes,
    ) -> impl Future<Output = Result<Swap, Failure>> + Send;

    /// Whether there is a value.
    fn exists(
        &self,
        bucket: &str,
        key: &str,
    ) -> impl Future<Output = Result<bool, Failure>> + Send {
        async move { Ok(self.get(bucket, key).await?.is_some()) }
    }

    /// The values of many keys, in order.
    fn get_many(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<Option<Bytes>>, Failure>> + Send {
        async move {
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                values.push(self.get(bucket, key).await?);
            }
            Ok(values)
        }
    }

    /// Writes many values.
    fn set_many(
        &self,
        bucket: &str,
        pairs: Vec<(String, Bytes)>,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async move {
            for (key, value) in pairs {
                self.set(bucket, &key, value).await?;
            }
            Ok(())
        }
    }

    /// Removes many values.
    fn delete_many(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async move {
            for key in keys {
                self.delete(bucket, key).await?;
            }
            Ok(())
        }
    }
}

/// One page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// In no particular order.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<u64>,
}

/// What is under a key, as far as comparing goes: `None` for nothing, else whatever the backend tells versions apart by.
pub type Version = Option<Bytes>;

/// How a swap went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The value was written.
    Done,
    /// Something else was there, of this version.
    Changed(Version),
}

/// An operation failed. What a component sees of it is its interface's `error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such bucket, and the backend makes none of this name.
    #[error("there is no such bucket")]
    NoSuchBucket,
    /// The link may not use this bucket.
    #[error("the link's config does not allow this bucket")]
    Denied,
    /// Anything else, for people and free of secrets.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// `attempt` failed for `cause`.
    pub fn other(attempt: &str, cause: impl std::fmt::Display) -> Self {
        Self::Other(format!("{attempt}: {cause}"))
    }
}
