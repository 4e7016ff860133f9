//! wicker:blobstore in a folder: embedded, durable, and in one process only.
//!
//! *Consistency*: an object is replaced as a whole, in one step; whoever reads goes on with what it began to read.
//! *Durability*: an object and its name are on the disk (fsync) before `put` returns. *Failure*: a write that breaks off
//! leaves what was there, and no trace. *Limits*: names of some 200 bytes (every character but ASCII letters, digits and
//! `-` takes two or more of the 240 that a file's name may have); a list reads the whole folder; memory does not grow
//! with the size of a blob.
//!
//! Exclusive: the folder is on one machine, and calls come here from wherever they start. `containers` is one link.

mod containers;

use std::path::PathBuf;

use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, NoConfig, Provider, ProviderError, Sharing};

pub use crate::containers::Containers;

/// The provider: a folder of containers.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
}

/// What one link is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Sets this link's containers apart from those of other links. None by default: links share containers by name.
    pub prefix: String,
    /// The only containers that the link may use. Empty, by default: all.
    pub containers: Vec<String>,
}

impl Provider for Files {
    const IMPLEMENTATION: &'static str = "blobstore-fs";
    const SHARING: Sharing = Sharing::Exclusive;
    type Config = NoConfig;
    type LinkConfig = LinkConfig;
    type Link = Containers;

    fn interfaces() -> Interfaces<Containers> {
        blobstore::interfaces()
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { folder: environment.data_dir })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Containers, ProviderError> {
        let opened = Containers::open(&self.folder, config).await;
        opened.map_err(|error| ProviderError::backend("cannot make the folder of blobs", error))
    }
}
