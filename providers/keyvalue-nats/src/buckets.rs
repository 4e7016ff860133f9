//! One link's bucket: how its names become keys of JetStream.

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version, number};
use wicker_provider::lattice::escape;

use crate::bucket::Bucket;

/// One link's bucket.
#[derive(Debug)]
pub struct Buckets {
    pub(crate) bucket: Bucket,
    pub(crate) allowed: Vec<String>,
}

impl Buckets {
    fn token(&self, bucket: &str) -> Result<String, Failure> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|each| each == bucket) {
            return Err(Failure::Denied);
        }
        // A token is never empty, nor is a name that is printed behind a letter.
        Ok(format!("b{}", escape::print(bucket)))
    }

    fn key(&self, bucket: &str, key: &str) -> Result<String, Failure> {
        Ok(format!("{}.k{}", self.token(bucket)?, escape::print(key)))
    }
}

impl KeyValue for Buckets {
    async fn open(&self, bucket: &str) -> Result<(), Failure> {
        self.token(bucket).map(drop)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, Failure> {
        Ok(self.bucket.get(&self.key(bucket, key)?).await?.value)
    }

    async fn set(&self, bucket: &str, key: &str, value: Bytes) -> Result<(), Failure> {
        self.bucket.put(&self.key(bucket, key)?, value).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.bucket.delete(&self.key(bucket, key)?).await
    }

    async fn keys(&self, bucket: &str, cursor: u64) -> Result<Page, Failure> {
        let token = self.token(bucket)?;
        let (tokens, cursor) = self.bucket.keys_after(&token, cursor).await?;
        let name = |token: String| escape::parse(token.strip_prefix('k')?);
        Ok(Page { keys: tokens.into_iter().filter_map(name).collect(), cursor })
    }

    async fn increment(&self, bucket: &str, key: &str, delta: i64) -> Result<i64, Failure> {
        let key = self.key(bucket, key)?;
        self.bucket.change(&key, |value| number::add(value, delta)).await
    }

    async fn version(&self, bucket: &str, key: &str) -> Result<Version, Failure> {
        Ok(self.bucket.get(&self.key(bucket, key)?).await?.version())
    }

    async fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: &Version,
        value: Bytes,
    ) -> Result<Swap, Failure> {
        let key = self.key(bucket, key)?;
        let found = self.bucket.get(&key).await?;
        if found.version() != *expected {
            return Ok(Swap::Changed(found.version()));
        }
        if self.bucket.write(&key, value, &found).await? {
            return Ok(Swap::Done);
        }
        Ok(Swap::Changed(self.bucket.get(&key).await?.version()))
    }
}
