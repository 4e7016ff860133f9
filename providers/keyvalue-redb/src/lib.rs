//! wasi:keyvalue in a file: embedded, durable, and in one process only.
//!
//! *Consistency*: strict serialisability; there is one writer, and it is here. *Durability*: a write is on the disk
//! (fsync) before it is acknowledged; writes that arrive while the disk is busy share the next fsync, so concurrent
//! increments are as fast as the disk allows together, not one by one. *Failure*: after an error nothing of that write
//! is visible, unless the error says that the disk failed. *Limits*: bucket names of 255 bytes, keys of 1 KiB, values of
//! the lattice's 16 MiB; `list-keys` in pages of 1,000 in key order, from a cursor that counts keys, so that keys
//! removed meanwhile can hide others.
//!
//! Exclusive: the file is on one machine, and calls come here from wherever they start. `buckets` is one link, `store`
//! the file.

mod buckets;
mod store;

use std::sync::Arc;

use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

pub use crate::buckets::Buckets;
use crate::store::Store;

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

impl Provider for Redb {
    const IMPLEMENTATION: &'static str = "keyvalue-redb";
    const SHARING: Sharing = Sharing::Exclusive;
    const IS_BRIEF: bool = true;
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
