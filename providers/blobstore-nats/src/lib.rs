//! wicker:blobstore in NATS object stores, as other NATS clients read and write them.
//!
//! A container is an object store; its name is that of the container behind `prefix`. By default it lives in the lattice's own
//! NATS system, and the prefix keeps it apart from what else is there.
//!
//! *Consistency*: an object is replaced as a whole, in one message. A reader whose object is replaced or removed meanwhile breaks
//! off: the server keeps no old chunks. *Durability*: an object is in the stream before `put` returns; on the disk of
//! which servers is JetStream's matter (`replicas`). *Failure*: a write that breaks off leaves what was there, and its chunks are removed;
//! those of a provider that died stay in the stream. A write whose last message got no answer may have happened, and
//! the error says so. *Limits*: names of 1 to 1,024 bytes; a container's name takes letters, digits and `-`, and two or more bytes
//! for anything else; a range is read from the object's beginning, here; a list reads all names.
//!
//! Replicable: the state is in JetStream. `containers` is one link, `bucket` one of its object stores, `upload` what is being
//! written to one.

mod bucket;
mod containers;
mod upload;

use async_nats::jetstream;
use serde::Deserialize;
use wicker_process::Tasks;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, NatsAccess, Provider, ProviderError, Sharing};

pub use crate::containers::Containers;

/// The provider: a connection to NATS.
#[derive(Debug)]
pub struct Nats {
    client: async_nats::Client,
    tasks: Tasks,
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
    /// What the names of the object stores begin with. `wicker-blobs-` by default; empty, for stores that others have made.
    pub prefix: String,
    /// The only containers that the link may use. Empty, by default: all.
    pub containers: Vec<String>,
    /// Copies that JetStream keeps, where the object store is made. 1 by default.
    pub replicas: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { prefix: "wicker-blobs-".to_owned(), containers: Vec::new(), replicas: 1 }
    }
}

impl Provider for Nats {
    const IMPLEMENTATION: &'static str = "blobstore-nats";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Containers;

    fn interfaces() -> Interfaces<Containers> {
        blobstore::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let access = match config.url {
            Some(url) => NatsAccess { url, credentials: None },
            None => environment.nats.ok_or_else(|| ProviderError::config("`url` is missing"))?,
        };
        Ok(Self { client: connect(&access).await?, tasks: environment.tasks })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Containers, ProviderError> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !config.prefix.chars().all(valid) {
            let why = "`prefix` takes letters, digits, `-` and `_`";
            return Err(ProviderError::config(why));
        }
        let jetstream = jetstream::new(self.client.clone());
        Ok(Containers::new(jetstream, config, self.tasks.clone()))
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
    let options = async_nats::ConnectOptions::new().name("wicker blobstore-nats");
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
