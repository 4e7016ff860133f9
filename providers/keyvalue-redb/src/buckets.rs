//! One link to the file: which of its buckets are which places in it.

use std::sync::Arc;

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version};

use crate::LinkConfig;
use crate::store::{Change, Place, Store};

/// One link to the file.
#[derive(Debug)]
pub struct Buckets {
    pub(crate) store: Arc<Store>,
    pub(crate) config: LinkConfig,
}

impl Buckets {
    fn place(&self, bucket: &str, key: &str) -> Result<Place, Failure> {
        let allowed = &self.config.buckets;
        if !allowed.is_empty() && !allowed.iter().any(|each| each == bucket) {
            return Err(Failure::Denied);
        }
        Place::new(format!("{}{bucket}", self.config.prefix), key)
    }
}

impl KeyValue for Buckets {
    async fn open(&self, bucket: &str) -> Result<(), Failure> {
        self.place(bucket, "").map(drop)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, Failure> {
        Ok(self.store.get(self.place(bucket, key)?).await?.map(|(_, value)| value))
    }

    async fn get_many(&self, bucket: &str, keys: &[String]) -> Result<Vec<Option<Bytes>>, Failure> {
        let places = keys.iter().map(|key| self.place(bucket, key)).collect::<Result<_, _>>()?;
        self.store.get_many(places).await
    }

    async fn set(&self, bucket: &str, key: &str, value: Bytes) -> Result<(), Failure> {
        self.store.change(vec![Change::Set(self.place(bucket, key)?, value)]).await.map(drop)
    }

    async fn set_many(&self, bucket: &str, pairs: Vec<(String, Bytes)>) -> Result<(), Failure> {
        let change =
            |(key, value): (String, Bytes)| Ok(Change::Set(self.place(bucket, &key)?, value));
        self.store.change(pairs.into_iter().map(change).collect::<Result<_, _>>()?).await.map(drop)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.store.change(vec![Change::Delete(self.place(bucket, key)?)]).await.map(drop)
    }

    async fn delete_many(&self, bucket: &str, keys: &[String]) -> Result<(), Failure> {
        let change = |key: &String| Ok(Change::Delete(self.place(bucket, key)?));
        self.store.change(keys.iter().map(change).collect::<Result<_, _>>()?).await.map(drop)
    }

    async fn keys(&self, bucket: &str, cursor: u64) -> Result<Page, Failure> {
        self.store.keys(self.place(bucket, "")?, cursor).await
    }

    async fn increment(&self, bucket: &str, key: &str, delta: i64) -> Result<i64, Failure> {
        self.store.increment(self.place(bucket, key)?, delta).await
    }

    async fn version(&self, bucket: &str, key: &str) -> Result<Version, Failure> {
        Ok(self.store.get(self.place(bucket, key)?).await?.map(|(version, _)| version))
    }

    async fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: &Version,
        value: Bytes,
    ) -> Result<Swap, Failure> {
        self.store.swap(self.place(bucket, key)?, expected.clone(), value).await
    }
}
