//! wicker:blobstore in a bucket of any S3 endpoint.
//!
//! One bucket a link, which is there already; a container is a folder in it, and an object has the key `prefix/container/name`, so
//! that other tools find it.
//!
//! *Consistency*: an object is replaced as a whole, in one step; whoever reads goes on with what it began to read, as long as the
//! endpoint does. *Durability*: what the endpoint promises for an answered request. *Failure*: a write that
//! breaks off leaves what was there; the parts of a large one are given up, those of a provider that died wait for the
//! bucket's lifecycle rule. Requests are sent again with growing pauses for [`RETRY`], then they fail typed. *Limits*: keys of
//! 1,024 bytes, whose names have no empty part, no part `.` or `..` and no control characters; objects of
//! 10,000 parts of 8 MiB; two parts in memory for each write.
//!
//! Replicable: the state is in the bucket. `containers` is one link, `access` whom it speaks to and as whom, `upload` what is
//! being written.

mod access;
mod containers;
mod error;
mod upload;

use std::time::Duration;

use serde::Deserialize;
use wicker_process::Tasks;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, NoConfig, Provider, ProviderError, Sharing};

pub use crate::access::Secret;
pub use crate::containers::Containers;

/// How long a request is sent again before it fails.
pub const RETRY: Duration = Duration::from_secs(5);

/// The provider. Each link has its own endpoint.
#[derive(Debug)]
pub struct S3 {
    tasks: Tasks,
}

/// What one link is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkConfig {
    /// The bucket, which is there already.
    pub bucket: String,
    /// `https://minio.example:9000`; without TLS as `http://`. Amazon's for the region by default.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// `us-east-1` by default, which most other endpoints take.
    #[serde(default)]
    pub region: Option<String>,
    /// Whose requests they are. Without it they are not signed.
    #[serde(default)]
    pub access_key: Option<String>,
    /// What signs them.
    #[serde(default)]
    pub secret_key: Option<Secret>,
    /// Whether the bucket is part of the host's name instead of the path.
    #[serde(default)]
    pub virtual_hosts: bool,
    /// A folder in the bucket that sets this link's containers apart. None by default: links share containers by name.
    #[serde(default)]
    pub prefix: String,
    /// The only containers that the link may use. Empty, by default: all.
    #[serde(default)]
    pub containers: Vec<String>,
}

impl Provider for S3 {
    const IMPLEMENTATION: &'static str = "blobstore-s3";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = NoConfig;
    type LinkConfig = LinkConfig;
    type Link = Containers;

    fn interfaces() -> Interfaces<Containers> {
        blobstore::interfaces()
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { tasks: environment.tasks })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Containers, ProviderError> {
        let store = access::open(&config)?;
        Containers::open(store, config, self.tasks.clone()).await
    }
}
