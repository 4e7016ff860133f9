//! `http-server` as a provider: a listener for the whole lattice, on any machine that reaches its NATS.
//!
//! It serves no interface and takes no links: it calls. Its routes are the lattice's; those of bare files belong to
//! their own hosts' listeners.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};
use wicker_provider::lattice::call::{Call, CallError, Invocation, Invoke, Status};
use wicker_provider::lattice::id::ProcessId;
use wicker_provider::lattice::nats::{Login, Nats, NatsConfig};
use wicker_provider::lattice::rpc::{Rpc, RpcConfig};
use wicker_provider::lattice::store::Store;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

use crate::config::Config;
use crate::gateway::Gateway;
use crate::listener::{Listener, Server};

/// How long requests in flight may take when the provider ends.
const DRAIN_GRACE: Duration = Duration::from_secs(20);

/// How long the lattice's routes may take to be read before the listener opens without them.
const ROUTES_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener that answers for the whole lattice.
#[derive(Debug)]
pub struct HttpServer {
    /// `None` once it drains.
    server: Mutex<Option<Server>>,
    _nats: Nats,
}

/// A link to an `http-server` makes no sense: nothing can be called there.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoLinks {}

impl Provider for HttpServer {
    const IMPLEMENTATION: &'static str = "http-server";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = NoLinks;
    type Link = ();

    fn interfaces() -> Interfaces<()> {
        Interfaces::new()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let listener = Listener::bind(config).await;
        let listener =
            listener.map_err(|error| ProviderError::backend("cannot open the listener", error))?;
        let (nats, rpc, store) = join(&environment).await?;
        let gateway = Arc::new(Gateway::new(rpc, environment.id.clone()));
        let (routes, routes_told) = oneshot::channel();
        let (places, places_told) = oneshot::channel();
        let tasks = &environment.tasks;
        let follow = Arc::clone(&gateway).follow_routes(store.clone(), tasks.clone(), routes);
        tasks.spawn("routes", follow);
        let follow = Arc::clone(&gateway).follow_places(store, tasks.clone(), places);
        tasks.spawn("places", follow);
        let told = futures::future::join(routes_told, places_told);
        if timeout(ROUTES_TIMEOUT, told).await.is_err() {
            warn!("the lattice's routes could not be read yet; until then every answer is 404");
        }
        info!(address = %listener.address(), "listening");
        let server = Mutex::new(Some(listener.serve(gateway)));
        Ok(Self { server, _nats: nats })
    }

    async fn link(&self, link: &Link, NoLinks {}: NoLinks) -> Result<(), ProviderError> {
        let source = &link.source;
        Err(ProviderError::config(format!(
            "an http-server serves no interface, so {source} cannot be linked to it"
        )))
    }

    async fn drain(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server
            && let Err(error) = server.drain(DRAIN_GRACE).await
        {
            warn!(%error, "the listener drained late");
        }
    }
}

/// Joins the lattice as a process that calls and is never called.
async fn join(environment: &Environment) -> Result<(Nats, Rpc, Store), ProviderError> {
    let Some(access) = &environment.nats else {
        return Err(ProviderError::config("an http-server needs the lattice's NATS"));
    };
    let config = NatsConfig {
        urls: access.url.split(',').map(|url| url.trim().to_owned()).collect(),
        name: format!("wicker {}", HttpServer::IMPLEMENTATION),
        login: access.credentials.clone().map_or(Login::Anonymous, Login::Credentials),
        ..NatsConfig::default()
    };
    let failed = "cannot join the lattice";
    let nats =
        Nats::connect(config).await.map_err(|error| ProviderError::backend(failed, error))?;
    let lattice = &environment.lattice;
    let store = Store::open(&nats.jetstream(), lattice, 1).await;
    let store = store.map_err(|error| ProviderError::backend(failed, error))?;
    // Answers come to this id. It is not the provider's own, which its own process answers under.
    let config = RpcConfig::new(lattice.clone(), ProcessId::generate());
    let rpc = Rpc::start(config, &nats, Arc::new(Nobody)).await;
    let rpc = rpc.map_err(|error| ProviderError::backend(failed, error))?;
    Ok((nats, rpc, store))
}

/// Refuses calls: nobody knows this process's id but those that it calls.
struct Nobody;

impl Invoke for Nobody {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        let message = format!("{} is not served by an http-server", call.target);
        Box::pin(async { Err(CallError::new(Status::NotFound, message)) })
    }
}
