//! wicker:sql in SQLite files: embedded, durable, and in one process only.
//!
//! *Consistency*: strict serialisability; there is one writer at a time, readers see the state that was there when they
//! began. *Durability*: a transaction is on the disk (fsync) before it is acknowledged. *Failure*: a statement that
//! fails has no effect; one that is cut off at its deadline is interrupted where it is, and ends its transaction. *Limits*:
//! SQLite's own; values of the lattice's 16 MiB. Days, times, decimals and UUIDs are text for SQLite: a column's declared
//! type says as what it is read (see [`value`]).
//!
//! A link leads to one file. Its statements reach no other: `ATTACH`, and pragmas that could, are denied. Exclusive: the
//! files are on one machine, and calls come here from wherever they start.

mod error;
mod open;
mod run;
pub mod value;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use sql::{Bounds, Link, PageSize, Pool};
use wicker_provider::lattice::store::record;
use wicker_provider::{Environment, Interfaces, NoConfig, Provider, ProviderError, Sharing};

use crate::open::Files;

/// The provider: a folder of files.
#[derive(Debug)]
pub struct Sqlite {
    folder: PathBuf,
}

/// What one link is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The name of the database: a file of the provider's. By default the application's own, which its components
    /// share.
    pub database: Option<String>,
    /// Connections at once; of those that write, one at a time. 8 by default.
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
        Self { database: None, connections, queue, idle_ms, page_rows: 500 }
    }
}

impl LinkConfig {
    fn bounds(&self) -> Bounds {
        let Self { connections, queue, idle_ms, .. } = *self;
        Bounds { connections, queue, lease: Duration::from_millis(idle_ms) }
    }
}

impl Provider for Sqlite {
    const IMPLEMENTATION: &'static str = "sql-sqlite";
    const SHARING: Sharing = Sharing::Exclusive;
    type Config = NoConfig;
    type LinkConfig = LinkConfig;
    type Link = Link;

    fn interfaces() -> Interfaces<Link> {
        sql::interfaces()
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { folder: environment.data_dir })
    }

    async fn link(&self, link: &record::Link, config: LinkConfig) -> Result<Link, ProviderError> {
        let name = match &config.database {
            Some(name) => checked(name)?.to_owned(),
            None => format!("{}_{}", link.source.team(), link.source.application()),
        };
        let path = self.folder.join(format!("{name}.sqlite"));
        let page = PageSize { rows: config.page_rows.max(1) as usize, bytes: sql::PAGE_BYTES };
        let link = Link::new(Pool::new(Files { path, page }, config.bounds()));
        let opened = link.check().await;
        opened.map_err(|error| {
            ProviderError::backend(format!("cannot open `{name}`"), sql::explain(&error))
        })?;
        Ok(link)
    }
}

/// A name that is the name of a file in any system, and of no other folder's.
fn checked(name: &str) -> Result<&str, ProviderError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(name);
    }
    let why = "the value of `database` is not 1 to 64 letters, digits, `-` and `_`";
    Err(ProviderError::config(why))
}
