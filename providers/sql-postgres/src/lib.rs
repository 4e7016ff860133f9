//! wicker:sql in PostgreSQL, and wasmcloud:postgres for components that were built for it.
//!
//! *Consistency* and *durability*: the server's, with the isolation that a transaction asks for. *Failure*: a statement
//! that fails has no effect, and in a transaction everything after it fails too, until a savepoint or the end; one that is
//! cut off at its deadline is cancelled at the server, and its connection closed. *Limits*: the server's; values of the
//! lattice's 16 MiB.
//!
//! A link has connections of its own; statements are prepared once on each. Replicable: the state is in the server, and
//! each process of the provider has connections of its own, so that the bound on them is for each.

mod connect;
mod decode;
mod encode;
mod error;
mod numeric;
mod run;
mod tls;
mod transaction;
pub mod wasmcloud;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sql::{Bounds, Link, PageSize, Pool};
use wicker_process::Tasks;
use wicker_provider::lattice::id::ObjectId;
use wicker_provider::lattice::store::record;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

use crate::connect::Server;

/// The provider.
pub struct Postgres {
    config: Config,
    tasks: Tasks,
}

/// What the provider is configured with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The database of links that name none: `postgres://user:password@host:port/database`. `sslmode=disable` in it
    /// goes without TLS, which is the default on this machine only.
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
    /// Connections at once, of each process of the provider. 8 by default.
    pub connections: u16,
    /// Calls that wait for a connection. 256 by default.
    pub queue: u16,
    /// Milliseconds for which a transaction or cursor may be left alone. 15,000 by default.
    pub idle_ms: u64,
    /// Rows of a page, at most. 500 by default.
    pub page_rows: u32,
}

impl Default for LinkConfig {
    fn default() -> Self {
        let Bounds { connections, queue, lease } = Bounds::default();
        let idle_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        Self { url: None, root_certificates: None, connections, queue, idle_ms, page_rows: 500 }
    }
}

impl Provider for Postgres {
    const IMPLEMENTATION: &'static str = "sql-postgres";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Link;

    fn interfaces() -> Interfaces<Link> {
        sql::interfaces().and(wasmcloud::interfaces())
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { config, tasks: environment.tasks })
    }

    async fn link(&self, link: &record::Link, config: LinkConfig) -> Result<Link, ProviderError> {
        let LinkConfig { url, root_certificates, connections, queue, idle_ms, page_rows } = config;
        let url = url.or_else(|| self.config.url.clone()).ok_or_else(|| {
            let why = "neither the link nor the provider has a `url` (postgres://user:password@host/database)";
            ProviderError::config(why)
        })?;
        let bounds = Bounds { connections, queue, lease: Duration::from_millis(idle_ms) };
        let roots = root_certificates.as_deref().or(self.config.root_certificates.as_deref());
        let target = Target { url: &url, roots, source: &link.source, bounds, page_rows };
        connect(target, self.tasks.clone()).await.map(Link::new)
    }
}

/// A database, and how a link may use it. For providers of other interfaces too, whose backend is PostgreSQL.
pub struct Target<'a> {
    /// `postgres://user:password@host:port/database`.
    pub url: &'a str,
    /// What its certificate may be signed by, besides what this machine trusts: PEM.
    pub roots: Option<&'a str>,
    /// Whose link it is: what the server shows as the application.
    pub source: &'a ObjectId,
    /// Of the pool.
    pub bounds: Bounds,
    /// Rows of a page, at most.
    pub page_rows: u32,
}

/// A pool of connections, of which one has been made to see that it can be.
///
/// # Errors
/// The URL is none, or the server does not let us in.
pub async fn connect(target: Target<'_>, tasks: Tasks) -> Result<Arc<Pool>, ProviderError> {
    let Target { url, roots, source, bounds, page_rows } = target;
    let page = PageSize { rows: page_rows.max(1) as usize, bytes: sql::PAGE_BYTES };
    let server = Server::new((url, roots), &source.to_string(), page, tasks)?;
    let attempt = format!("cannot connect to PostgreSQL at {}", server.address());
    let pool = Pool::new(server, bounds);
    let taken = pool.take().await.map(drop);
    taken.map_err(|error| ProviderError::backend(attempt, sql::explain(&error)))?;
    Ok(pool)
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

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("source", self.source).finish_non_exhaustive()
    }
}
