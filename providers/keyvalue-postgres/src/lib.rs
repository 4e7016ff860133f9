//! wasi:keyvalue in a table of PostgreSQL.
//!
//! *Consistency*: each operation is one statement, or one transaction (`set-many`, `delete-many`): it happens as a whole, and
//! increments and swaps lose no update whoever else writes. *Durability*: the server's `synchronous_commit`. *Failure*: a
//! write whose connection broke may have happened, and the error says so. *Limits*: values of the lattice's 16 MiB; names
//! without the character U+0000; `list-keys` in pages of 1,000 in the order in which keys were first written, from a cursor
//! that stays right whatever is written or removed meanwhile.
//!
//! Replicable: the state is in the server. The table `wicker_keyvalue` is made if it is not there. Connections, TLS and the
//! end of a statement at its deadline are those of `sql-postgres`.

mod buckets;

use serde::Deserialize;
use sql::Bounds;
use sql_postgres::Target;
use wicker_process::Tasks;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

pub use crate::buckets::Buckets;

/// The provider.
pub struct Postgres {
    config: Config,
    tasks: Tasks,
}

/// What the provider is configured with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The database of links that name none: `postgres://user:password@host:port/database`.
    pub url: Option<String>,
    /// Certificates that servers may be signed by, besides those that this machine trusts: PEM.
    pub root_certificates: Option<String>,
}

/// What one link is configured with.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The database, as in the provider's config, which is the default.
    pub url: Option<String>,
    /// As in the provider's config, which is the default.
    pub root_certificates: Option<String>,
    /// Sets this link's buckets apart from those of other links. None by default: links share buckets by name.
    pub prefix: String,
    /// The only buckets that the link may open. Empty, by default: all.
    pub buckets: Vec<String>,
    /// Connections at once, of each process of the provider. 8 by default.
    pub connections: u16,
}

impl Default for LinkConfig {
    fn default() -> Self {
        let connections = Bounds::default().connections;
        Self {
            url: None,
            root_certificates: None,
            prefix: String::new(),
            buckets: Vec::new(),
            connections,
        }
    }
}

impl Provider for Postgres {
    const IMPLEMENTATION: &'static str = "keyvalue-postgres";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Buckets;

    fn interfaces() -> Interfaces<Buckets> {
        keyvalue::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { config, tasks: environment.tasks })
    }

    async fn link(&self, link: &Link, config: LinkConfig) -> Result<Buckets, ProviderError> {
        let url = config.url.as_ref().or(self.config.url.as_ref()).ok_or_else(|| {
            let why = "neither the link nor the provider has a `url` (postgres://user:password@host/database)";
            ProviderError::config(why)
        })?;
        let bounds = Bounds {
            connections: config.connections,
            // The provider's own limits bound how many wait.
            queue: u16::MAX,
            ..Bounds::default()
        };
        let page_rows = buckets::KEYS + 1;
        let own = self.config.root_certificates.as_deref();
        let roots = config.root_certificates.as_deref().or(own);
        let target = Target { url, roots, source: &link.source, bounds, page_rows };
        let pool = sql_postgres::connect(target, self.tasks.clone()).await?;
        Buckets::open(pool, config.prefix, config.buckets).await
    }
}

/// A URL may hold a password.
macro_rules! without_secrets {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

without_secrets!(Postgres Config LinkConfig);
