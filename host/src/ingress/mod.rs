//! HTTP requests on this host's listener: to the component that a route names, typed where it runs here, over the
//! router where it runs elsewhere, or where this host's own replica is full or stopping.
//!
//! Routes of manifests belong to the lattice: every host answers them. Those of bare files belong to one host. The
//! table of [`routes`] is replaced as a whole when one changes; a request loads it once, and takes no lock.

mod body;
pub mod routes;

use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::uri::Scheme;
use http::{Request, Response};
use http_server::routes::Routes;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;
use wicker_engine::http::{Incoming, Refused};
use wicker_lattice::call::{CallError, DEFAULT_LINK, DEFAULT_TIMEOUT, Invoke, LinkRef, Status};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::link::Binding;
use wicker_lattice::store::record::Route;
use wicker_lattice::weighted::Weighted;
use wicker_process::Tasks;
use wicker_provider::http::{Body, HttpError, HttpTarget, Outgoing, Peer, call, trace_of};

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
    routes: ArcSwap<Routes<Arc<Weighted<Binding>>>>,
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

    fn set(&self, records: &[Route]) {
        let (routes, refused) = routes::build(records, self.own, |target| self.binding(target));
        for Route { host, path, claimed_by, .. } in refused {
            warn!(host, path, claimed_by, "route is taken by another application");
        }
        self.routes.store(Arc::new(routes));
    }

    fn binding(&self, target: &ObjectId) -> Binding {
        let link = LinkRef { name: DEFAULT_LINK.into(), revision: 0 };
        Binding {
            target: target.clone(),
            link,
            invoke: Arc::clone(&self.router) as Arc<dyn Invoke>,
        }
    }

    /// Carries a request to wherever its target runs.
    async fn elsewhere(
        &self,
        binding: &Binding,
        request: Request<Body>,
        peer: Peer,
    ) -> Result<Response<IngressBody>, HttpError> {
        let outgoing = Outgoing {
            source: self.source.clone(),
            deadline: Instant::now() + DEFAULT_TIMEOUT,
            trace: trace_of(request.headers()),
            scheme: if peer.is_encrypted { Scheme::HTTPS } else { Scheme::HTTP },
        };
        let response = call(binding, outgoing, request).await?;
        Ok(response.map(IngressBody::Elsewhere))
    }

    /// Whether somebody else may take what this host's replica refused.
    fn may_go_elsewhere(&self, target: &ObjectId, error: &CallError) -> bool {
        match error.status {
            // Its successor may be here already, or come up soon.
            Status::Draining | Status::Unavailable => true,
            Status::Overloaded => !self.table.places().of(target).is_empty(),
            _ => false,
        }
    }
}

impl HttpTarget for Ingress {
    type Body = IngressBody;

    async fn handle(
        &self,
        request: Request<Body>,
        peer: Peer,
    ) -> Result<Response<IngressBody>, HttpError> {
        let shared =
            self.routes.load().find(&request).map(Arc::clone).ok_or_else(HttpError::no_route)?;
        let binding = shared.pick();
        let Some(actor) = self.table.actor(&binding.target) else {
            // Boxed, so that the future of a local request stays small.
            return Box::pin(self.elsewhere(binding, request, peer)).await;
        };
        let trace = trace_of(request.headers());
        let incoming = Incoming { is_encrypted: peer.is_encrypted, deadline: None, trace };
        match actor.try_http(request, incoming).await {
            Ok(response) => Ok(response.map(IngressBody::Here)),
            Err(Refused { error, request: Some(request) })
                if self.may_go_elsewhere(&binding.target, &error) =>
            {
                Box::pin(self.elsewhere(binding, *request, peer)).await
            }
            Err(refused) => Err(refused.error.into()),
        }
    }
}
