//! The `http-client` provider: sends the HTTP requests of components to the world, where their link allows it.
//!
//! Promises. Nothing is allowed unless the link's `allow` says so (see `allow`); names never lead to private
//! addresses unless the link grants the address, too. The address that was checked is the one connected to. Redirects
//! are handed back, not followed. Bodies stream both ways at their reader's pace, in constant memory. The call's
//! deadline covers lookup, connection and the head of the response; after that, a body may take as long as it moves.
//!
//! Limits. Connections are pooled per link, 32 idle ones a host, a minute each. HTTP/2 where TLS agrees on it, else
//! HTTP/1.1. No upgrades, no `CONNECT`, no proxies from the environment.
//!
//! Failures. Denied requests fail with `denied` before anything is looked up, and the message is the `wicker link set`
//! line that would allow them; guests see `HTTP-request-denied`. Everything else is the `wasi:http` error code that
//! says it best. A request that may have been sent is never sent again, except on a pooled connection that closed
//! before it took the request.

mod address;
mod allow;
mod connector;
mod failure;
mod link;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use wicker_provider::lattice::http as wire;
use wicker_provider::lattice::store::record::Link as LinkRecord;
use wicker_provider::{
    Environment, Interface, Interfaces, Provider, ProviderError, Sharing, codegen,
};

pub use link::Link;

/// What is served: [`wire::INTERFACE`] with its whole version.
const INTERFACE: &str = "wicker:http/handler@0.1.0";

/// What all links of one `http-client` share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// PEM file with certificates to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// For looking up a name and connecting to it, milliseconds. Default 5 s.
    pub connect_timeout_ms: u64,
    /// How long a response's body may stand still, milliseconds. Default 60 s.
    pub stall_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { ca: None, connect_timeout_ms: 5_000, stall_timeout_ms: 60_000 }
    }
}

/// What one link may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Hosts that may be asked: `example.com`, `*.example.org:8443`, `127.0.0.1:8080`, `10.0.0.0/8`, `*`. None unless
    /// listed.
    pub allow: Vec<String>,
}

/// Sends requests.
#[derive(Debug)]
pub struct HttpClient {
    config: Config,
    tls: rustls::ClientConfig,
    environment: Environment,
}

impl Provider for HttpClient {
    const IMPLEMENTATION: &'static str = "http-client";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Link;

    fn interfaces() -> Interfaces<Link> {
        let handler = Interface::new(codegen::name(INTERFACE)).function(
            wire::HANDLE,
            wire::function_type(),
            |link: Arc<Link>, call| Box::pin(async move { link.handle(call).await }),
        );
        Interfaces::new().with(handler)
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let tls = tls::config(config.ca.as_deref())?;
        Ok(Self { config, tls, environment })
    }

    async fn link(&self, link: &LinkRecord, config: LinkConfig) -> Result<Link, ProviderError> {
        let allow = allow::AllowList::parse(&config.allow)
            .map_err(|error| ProviderError::config(error.to_string()))?;
        let timeouts = link::Timeouts {
            connect: Duration::from_millis(self.config.connect_timeout_ms),
            stall: Duration::from_millis(self.config.stall_timeout_ms),
        };
        let tasks = self.environment.tasks.clone();
        Ok(Link::new(link::Place::of(link), allow, timeouts, self.tls.clone(), tasks))
    }
}
