//! HTTP requests on this host's listener: to the component that a route names, typed where it runs here, over the
//! router where it runs elsewhere.
//!
//! Routes of manifests belong to the lattice: every host answers them. Those of bare files belong to one host. The
//! table of routes is replaced as a whole when one changes; a request loads it once.

mod body;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Request, Response};
use http_server::routes::Routes;
use tokio::sync::watch;
use tokio::time::Instant;
use wicker_engine::http::Incoming;
use wicker_lattice::call::{DEFAULT_LINK, DEFAULT_TIMEOUT, Invoke, LinkRef, Status};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::link::Binding;
use wicker_lattice::store::record::Route;
use wicker_process::Tasks;
use wicker_provider::http::{self as provider_http, Body, HttpError, HttpTarget, Peer};

pub use body::IngressBody;

use crate::link::Router;
use crate::table::Table;

/// What the listener asks.
#[derive(Debug)]
pub struct Ingress {
    own: ProcessId,
    source: ObjectId,
    table: Arc<Table>,
    router: Arc<Router>,
    routes: ArcSwap<Routes<Arc<Binding>>>,
}

impl Ingress {
    /// The ingress of host `own`, which calls as `source`. It has no routes yet; see [`Ingress::follow`].
    #[must_use]
    pub fn new(
        own: ProcessId,
        source: ObjectId,
        table: Arc<Table>,
        router: Arc<Router>,
    ) -> Arc<Self> {
        Arc::new(Self { own, source, table, router, routes: ArcSwap::default() })
    }

    /// Keeps the routes as they are told, until the host stops.
    pub fn follow(self: &Arc<Self>, mut told: watch::Receiver<Arc<Vec<Route>>>, tasks: &Tasks) {
        let (ingress, stopping) = (Arc::clone(self), tasks.clone());
        tasks.spawn("routes", async move {
            loop {
                let routes = Arc::clone(&told.borrow_and_update());
                ingress.set(&routes);
                tokio::select! {
                    // Cancel-safe, both.
                    () = stopping.stopping() => return Ok::<(), Infallible>(()),
                    changed = told.changed() => if changed.is_err() { return Ok(()) },
                }
            }
        });
    }

    /// Replaces the routes. This host's own come first, so that a bare file answers here whoever else claims `/`.
    fn set(&self, routes: &[Route]) {
        let mut table = Routes::default();
        let mut bindings = BTreeMap::new();
        let (own, shared): (Vec<_>, Vec<_>) =
            routes.iter().partition(|route| route.only_on.is_some());
        for route in own.into_iter().filter(|route| route.only_on == Some(self.own)).chain(shared) {
            let binding = bindings
                .entry(&route.target)
                .or_insert_with(|| Arc::new(self.binding(&route.target)));
            table.claim(route.host.as_deref(), &route.path, Arc::clone(binding));
        }
        self.routes.store(Arc::new(table));
    }

    fn binding(&self, target: &ObjectId) -> Binding {
        let link = LinkRef { name: DEFAULT_LINK.into(), revision: 0 };
        Binding {
            target: target.clone(),
            link,
            invoke: Arc::clone(&self.router) as Arc<dyn Invoke>,
        }
    }

    async fn elsewhere(
        &self,
        binding: &Binding,
        request: Request<Body>,
    ) -> Result<Response<IngressBody>, HttpError> {
        let deadline = Instant::now() + DEFAULT_TIMEOUT;
        let response = provider_http::call(binding, self.source.clone(), request, deadline).await?;
        Ok(response.map(IngressBody::Elsewhere))
    }
}

impl HttpTarget for Ingress {
    type Body = IngressBody;

    async fn handle(
        &self,
        request: Request<Body>,
        peer: Peer,
    ) -> Result<Response<IngressBody>, HttpError> {
        let binding =
            self.routes.load().find(&request).map(Arc::clone).ok_or_else(HttpError::no_route)?;
        let Some(actor) = self.table.actor(&binding.target) else {
            return Box::pin(self.elsewhere(&binding, request)).await;
        };
        let incoming = Incoming { is_encrypted: peer.is_encrypted, ..Incoming::default() };
        match actor.http(request, incoming).await {
            Ok(response) => Ok(response.map(IngressBody::Here)),
            Err(error) if error.status == Status::Draining => Err(error.into()),
            Err(error) => Err(error.into()),
        }
    }
}
