//! wasi:keyvalue in Redis.
//!
//! A value is a plain Redis string under `<prefix><bucket>:<key>`, so that other programs can use it too; a bucket's
//! name therefore holds no `:`. Counters are Redis's own.
//!
//! *Consistency*: Redis runs one command after another, so increments, swaps and `set-many` are atomic to everybody;
//! a swap compares the SHA-1 of the value, so a value that was changed and changed back counts as unchanged.
//! *Durability*: the server's (`appendfsync`); with its defaults the last second may be lost in a crash. *Failure*: one
//! attempt a call; an error in the connection means that a write may or may not have happened, and is said. The
//! connection comes back by itself. *Limits*: values of the lattice's 16 MiB; `list-keys` scans the whole database, in
//! steps of 1,000, and may name a key twice.
//!
//! Replicable: the state is in Redis. `buckets` is one link's connection.

mod buckets;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

pub use crate::buckets::Buckets;
use crate::buckets::Scripts;

/// The provider: what links have in common.
#[derive(Debug)]
pub struct Redis {
    config: Config,
    scripts: Arc<Scripts>,
}

/// What the provider is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The server, for links that name none. `redis://127.0.0.1:6379` by default.
    pub url: Option<Address>,
}

/// What one link is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The server. The provider's by default.
    pub url: Option<Address>,
    /// Goes in front of every key: `shop/`. Empty by default.
    pub prefix: String,
    /// The only buckets that the link may open. Empty, by default: all.
    pub buckets: Vec<String>,
}

/// Where a server is, with what it takes to log in: `redis://[[user]:password@]host[:port][/database]`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl Provider for Redis {
    const IMPLEMENTATION: &'static str = "keyvalue-redis";
    const SHARING: Sharing = Sharing::Replicable;
    const IS_BRIEF: bool = true;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Buckets;

    fn interfaces() -> Interfaces<Buckets> {
        keyvalue::interfaces()
    }

    async fn start(config: Config, _environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { config, scripts: Arc::default() })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Buckets, ProviderError> {
        let address = config.url.clone().or_else(|| self.config.url.clone());
        let url = address.map_or_else(|| "redis://127.0.0.1:6379".to_owned(), |address| address.0);
        Buckets::connect(&url, config, Arc::clone(&self.scripts)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_not_shown() {
        let config = Config { url: Some(Address("redis://:hunter2@h".to_owned())) };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
