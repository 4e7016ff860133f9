//! wasi:keyvalue in a file: embedded, durable, and in one process only.
//!
//! *Consistency*: strict serialisability; there is one writer, and it is here. *Durability*: a write is on the disk
//! (fsync) before it is acknowledged; writes that arrive while the disk is busy share the next fsync, so concurrent
//! increments are as fast as the disk allows together, not one by one. *Failure*: after an error nothing of that write
//! is visible, unless the error says that the disk failed. *Limits*: bucket names of 255 bytes, keys of 1 KiB, values of
//! the lattice's 16 MiB; `list-keys` in pages of 1,000 in key order, from a cursor that counts keys, so that keys
//! removed meanwhile can hide others.
//!
//! Exclusive: the file is on one machine, and calls come here from wherever they start. `store` is the file.

mod store;

use std::sync::Arc;

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version};
use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

use crate::store::{Change, Place, Store};

/// The provider: one file, whoever uses it.
#[derive(Debug)]
pub struct Redb {
    store: Arc<Store>,
}

/// What the provider is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Name of the file in the provider's data directory. `keyvalue.redb` by default.
    pub file: Option<String>,
    /// Bytes of the file that are kept in memory. 64 MiB by default.
    pub cache_bytes: Option<usize>,
}

/// What one link is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Sets this link's buckets apart from those of other links. None by default: links share buckets by name.
    pub prefix: String,
    /// The only buckets that the link may open. Empty, by default: all.
    pub buckets: Vec<String>,
}

/// One link to the file.
#[derive(Debug)]
pub struct Buckets {
    store: Arc<Store>,
    config: LinkConfig,
}

impl Provider for Redb {
    const IMPLEMENTATION: &'static str = "keyvalue-redb";
    const SHARING: Sharing = Sharing::Exclusive;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Buckets;

    fn interfaces() -> Interfaces<Buckets> {
        keyvalue::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let file = config.file.as_deref().unwrap_or("keyvalue.redb");
        let store = Store::open(environment.data_dir.join(file), config.cache_bytes).await?;
        Ok(Self { store: Arc::new(store) })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Buckets, ProviderError> {
        Ok(Buckets { store: Arc::clone(&self.store), config })
    }

    async fn health(&self) -> Result<(), ProviderError> {
        self.store.health()
    }
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
