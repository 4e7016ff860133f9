//! wasi:keyvalue in a NATS JetStream key-value bucket.
//!
//! One JetStream bucket a link (`bucket`, made if it is not there); the component's buckets and keys are tokens in it,
//! so that any name fits. By default it lives in the lattice's own NATS system.
//!
//! *Consistency*: writes to one key are ordered by JetStream; increments and swaps are compare-and-swap on its revision,
//! exact whoever else writes. With one replica a read sees every acknowledged write; with three a read may be served by
//! a replica that lags a little, but increments and swaps never lose an update. *Durability*: an acknowledged write is
//! in the stream; on the disk of which servers is JetStream's matter (`replicas`; `sync_interval: always` against
//! losing power everywhere at once). *Failure*: a write that timed out may have happened, and the error says so.
//! *Limits*: values up to the server's `max_payload` (1 MiB by default); an increment tries [`ATTEMPTS`] times against
//! others and then says that the key is contended; `set-many` and `delete-many` go key by key.
//!
//! Replicable: the state is in JetStream. `buckets` is one link, `bucket` its
//! JetStream bucket.

mod bucket;
mod buckets;

use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, NatsAccess, Provider, ProviderError, Sharing};

pub use crate::bucket::ATTEMPTS;
use crate::bucket::Bucket;
pub use crate::buckets::Buckets;

/// The provider: a connection to NATS.
#[derive(Debug)]
pub struct Nats {
    client: async_nats::Client,
}

/// What the provider is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The NATS system. The lattice's own by default.
    pub url: Option<String>,
}

/// What one link is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The JetStream bucket. `wicker_keyvalue` by default.
    pub bucket: String,
    /// Copies that JetStream keeps, where the bucket is made. 1 by default.
    pub replicas: usize,
    /// The only buckets, in the component's sense, that the link may open. Empty, by default: all.
    pub buckets: Vec<String>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { bucket: "wicker_keyvalue".to_owned(), replicas: 1, buckets: Vec::new() }
    }
}

impl Provider for Nats {
    const IMPLEMENTATION: &'static str = "keyvalue-nats";
    const SHARING: Sharing = Sharing::Replicable;
    const IS_BRIEF: bool = true;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Buckets;

    fn interfaces() -> Interfaces<Buckets> {
        keyvalue::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let access = match config.url {
            Some(url) => NatsAccess { url, credentials: None },
            None => environment.nats.ok_or_else(|| ProviderError::config("`url` is missing"))?,
        };
        Ok(Self { client: connect(&access).await? })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Buckets, ProviderError> {
        let bucket = Bucket::open(&self.client, &config.bucket, config.replicas).await?;
        Ok(Buckets { bucket, allowed: config.buckets })
    }

    async fn health(&self) -> Result<(), ProviderError> {
        match self.client.connection_state() {
            async_nats::connection::State::Connected => Ok(()),
            state => Err(ProviderError::backend("no connection to NATS", state.to_string())),
        }
    }
}

async fn connect(access: &NatsAccess) -> Result<async_nats::Client, ProviderError> {
    let failed = |error| ProviderError::backend("cannot connect to NATS", error);
    let options = async_nats::ConnectOptions::new().name("wicker keyvalue-nats");
    let options = match &access.credentials {
        Some(file) => options
            .credentials_file(file)
            .await
            .map_err(|error| ProviderError::backend("cannot read the NATS credentials", error))?,
        None => options,
    };
    let servers: Vec<&str> = access.url.split(',').collect();
    options.connect(servers).await.map_err(failed)
}
