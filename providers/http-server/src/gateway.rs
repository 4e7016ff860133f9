//! Requests to wherever in the lattice their targets run: the [`HttpTarget`] of an `http-server` that is no host.
//!
//! A process that is not there, drains or is full did not run the request, so the next one is tried, inside the
//! deadline. A body that streams is read by the first attempt, so such a request has only one.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::uri::Scheme;
use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use wicker_process::Tasks;
use wicker_provider::http::{Body, HttpError, HttpTarget, Outgoing, Peer, call, trace_of};
use wicker_provider::lattice::call::{CallError, DEFAULT_LINK, DEFAULT_TIMEOUT, LinkRef, Status};
use wicker_provider::lattice::id::{ObjectId, ProcessId};
use wicker_provider::lattice::link::Binding;
use wicker_provider::lattice::rpc::Rpc;
use wicker_provider::lattice::store::record::{Route, Running};
use wicker_provider::lattice::store::{Change, Record, Store};

use crate::routes::Routes;

/// The pause after every process was tried; doubles each time.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// How long a request waits for a target that runs nowhere: long enough for a replacement.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where targets run.
type Places = HashMap<ObjectId, Vec<ProcessId>>;

/// Calls the components that routes name.
pub(crate) struct Gateway {
    rpc: Rpc,
    source: ObjectId,
    routes: ArcSwap<Routes<ObjectId>>,
    places: ArcSwap<Places>,
}

impl Gateway {
    /// A gateway without routes, which calls as `source`.
    pub(crate) fn new(rpc: Rpc, source: ObjectId) -> Self {
        Self { rpc, source, routes: ArcSwap::default(), places: ArcSwap::default() }
    }

    /// Keeps the routes as the lattice has them, until `tasks` stop. `current` is dropped when they are complete.
    pub(crate) async fn follow_routes(
        self: Arc<Self>,
        store: Store,
        tasks: Tasks,
        current: oneshot::Sender<()>,
    ) -> Result<(), Infallible> {
        let tell = |records: &BTreeMap<String, Route>| {
            let mut routes = Routes::default();
            for route in records.values().filter(|route| route.only_on.is_none()) {
                routes.claim(route.host.as_deref(), &route.path, route.target.clone());
            }
            self.routes.store(Arc::new(routes));
        };
        Box::pin(follow(store, tasks, current, tell)).await
    }

    /// Keeps where everything runs, likewise.
    pub(crate) async fn follow_places(
        self: Arc<Self>,
        store: Store,
        tasks: Tasks,
        current: oneshot::Sender<()>,
    ) -> Result<(), Infallible> {
        let tell = |records: &BTreeMap<String, Running>| {
            let mut places = Places::new();
            for running in records.values().filter(|running| running.state.takes_calls()) {
                places.entry(running.object.clone()).or_default().push(running.process);
            }
            self.places.store(Arc::new(places));
        };
        Box::pin(follow(store, tasks, current, tell)).await
    }

    /// The processes that run `target`, the least busy first.
    fn candidates(&self, target: &ObjectId) -> Vec<ProcessId> {
        let mut processes = self.places.load().get(target).cloned().unwrap_or_default();
        fastrand::shuffle(&mut processes);
        let busy = |process: &ProcessId| {
            self.rpc.outstanding(*process) + u32::from(self.rpc.load_of(*process))
        };
        processes.sort_by_cached_key(busy);
        processes
    }

    async fn attempt(
        &self,
        target: &ObjectId,
        process: ProcessId,
        outgoing: Outgoing,
        request: Request<Body>,
    ) -> Result<Response<Body>, HttpError> {
        let link = LinkRef { name: DEFAULT_LINK.into(), revision: 0 };
        let binding = Binding { target: target.clone(), link, invoke: self.rpc.remote(process) };
        call(&binding, outgoing, request).await
    }
}

impl HttpTarget for Gateway {
    type Body = Body;

    async fn handle(
        &self,
        request: Request<Body>,
        peer: Peer,
    ) -> Result<Response<Body>, HttpError> {
        let target = self.routes.load().find(&request).cloned().ok_or_else(HttpError::no_route)?;
        let begun = Instant::now();
        let outgoing = Outgoing {
            source: self.source.clone(),
            deadline: begun + DEFAULT_TIMEOUT,
            trace: trace_of(request.headers()),
            scheme: if peer.is_encrypted { Scheme::HTTPS } else { Scheme::HTTP },
        };
        let mut attempts = Attempts::new(request);
        let mut pause = PAUSE_FIRST;
        let mut last = None;
        loop {
            for process in self.candidates(&target) {
                let Some(request) = attempts.next() else { break };
                match self.attempt(&target, process, outgoing.clone(), request).await {
                    Err(error) if was_not_run(&error) => last = Some(error),
                    outcome => return outcome,
                }
            }
            if begun.elapsed() + pause >= PATIENCE || attempts.is_spent() {
                return Err(last.unwrap_or_else(|| nobody(&target)));
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause *= 2;
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A request that may be sent more than once, if its body is whole.
struct Attempts {
    parts: Parts,
    /// `None`: it streamed, and was given away.
    body: Option<Body>,
}

impl Attempts {
    fn new(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body: Some(body) }
    }

    fn next(&mut self) -> Option<Request<Body>> {
        let body = match self.body.take()? {
            Body::Empty => {
                self.body = Some(Body::Empty);
                Body::Empty
            }
            Body::Whole(bytes) => {
                self.body = Some(Body::Whole(Bytes::clone(&bytes)));
                Body::Whole(bytes)
            }
            stream @ Body::Stream(_) => stream,
        };
        Some(Request::from_parts(self.parts.clone(), body))
    }

    fn is_spent(&self) -> bool {
        self.body.is_none()
    }
}

fn was_not_run(error: &HttpError) -> bool {
    let cause = error.source.as_deref().and_then(|cause| cause.downcast_ref::<CallError>());
    cause.is_some_and(|cause| {
        matches!(cause.status, Status::Unavailable | Status::Overloaded | Status::Draining)
    })
}

fn nobody(target: &ObjectId) -> HttpError {
    CallError::new(Status::Unavailable, format!("no host runs {target}")).into()
}

/// Hands all records of one kind to `tell` whenever one changes, once they are complete.
async fn follow<R: Record + Clone>(
    store: Store,
    tasks: Tasks,
    current: oneshot::Sender<()>,
    tell: impl Fn(&BTreeMap<String, R>),
) -> Result<(), Infallible> {
    let mut watch = store.watch::<R>(&R::all());
    let mut records = BTreeMap::new();
    let mut current = Some(current);
    loop {
        let change = tokio::select! {
            // Cancel-safe, both: a change that was not taken is told again.
            () = tasks.stopping() => return Ok(()),
            change = watch.next() => change,
        };
        match change {
            Change::Put(entry) => drop(records.insert(entry.key, entry.record)),
            Change::Deleted { key } => drop(records.remove(&key)),
            Change::Current => current = None,
        }
        if current.is_none() {
            tell(&records);
        }
    }
}
