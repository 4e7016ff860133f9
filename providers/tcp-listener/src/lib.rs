//! wicker:tcp/handler: listens on a port, and hands each connection to a component as a stream in and a stream out.
//!
//! A link from the provider to a component says which port. *Pace*: neither end reads faster than the other writes: what the
//! component does not take waits in the peer's system, and the other way round. *Ends*: a peer that closes its side ends
//! the input; a component that ends the output closes the connection's other side; a component that drops the input, or
//! fails, ends the connection. *Limits*: `max-connections` for each link and process; who connects beyond waits in the
//! system's queue. *Ordering*: bytes come as they were sent, or the stream breaks off.
//!
//! Replicable: every host that runs it listens.

mod accept;
mod config;

use wicker_provider::lattice::store::record::Link;
use wicker_provider::{
    Environment, Interfaces, NoConfig, Outlet, Provider, ProviderError, Sharing,
};

pub use crate::config::Listen;

wicker_provider::bindgen!({
    path: "../../wit/wicker-tcp",
    interfaces: ["wicker:tcp/handler@0.1.0"],
});

/// The provider. What it listens on is each link's.
#[derive(Debug)]
pub struct TcpListener;

impl Provider for TcpListener {
    const IMPLEMENTATION: &'static str = "tcp-listener";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = NoConfig;
    type LinkConfig = NoConfig;
    type Link = ();

    fn interfaces() -> Interfaces<()> {
        Interfaces::new().calling(handler::import())
    }

    async fn start(_config: NoConfig, _environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self)
    }

    async fn link(&self, link: &Link, _config: NoConfig) -> Result<(), ProviderError> {
        let message = format!("{} cannot call tcp-listener: it calls components", link.source);
        Err(ProviderError::config(message))
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        let config: Listen = outlet.config()?;
        accept::open(config, outlet)
    }
}
