//! Who else runs in the lattice, for the calls that a provider in a process of its own makes.
//!
//! A process that is not there, drains or is full did not run the call, so the next one is tried, and all again after a
//! pause, inside the deadline. Anything else is the call's outcome.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, sleep};
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::rpc::Rpc;
use wicker_lattice::store::record::Running;
use wicker_lattice::store::{Change, Record as _, Store};
use wicker_process::Tasks;

/// The first pause after every process was tried; doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(5);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// How long before the deadline the last attempt is given up, so that the caller hears why.
const MARGIN: Duration = Duration::from_millis(20);

/// Carries calls to where their targets run.
#[derive(Default)]
pub(crate) struct Peers {
    /// Set once this process is in the lattice; nothing is called before.
    rpc: OnceLock<Rpc>,
    places: ArcSwap<HashMap<ObjectId, Vec<ProcessId>>>,
}

impl Peers {
    /// From here on calls go through `rpc`.
    pub(crate) fn join(&self, rpc: Rpc) {
        let _ = self.rpc.set(rpc);
    }

    /// Keeps where everything runs, until `tasks` are asked to stop.
    pub(crate) async fn follow(
        self: Arc<Self>,
        store: Store,
        tasks: Tasks,
    ) -> Result<(), Infallible> {
        let mut watch = store.watch::<Running>(&Running::all());
        let mut records: BTreeMap<String, Running> = BTreeMap::new();
        loop {
            let change = tokio::select! {
                // Cancel-safe, both: a change that was not taken is told again.
                () = tasks.stopping() => return Ok(()),
                change = watch.next() => change,
            };
            match change {
                Change::Put(entry) => drop(records.insert(entry.key, entry.record)),
                Change::Deleted { key } => drop(records.remove(&key)),
                Change::Current => {}
            }
            let mut places: HashMap<ObjectId, Vec<ProcessId>> = HashMap::new();
            for running in records.values().filter(|running| running.state.takes_calls()) {
                places.entry(running.object.clone()).or_default().push(running.process);
            }
            self.places.store(Arc::new(places));
        }
    }

    async fn carry(&self, mut call: Call) -> Result<Reply, CallError> {
        let Some(rpc) = self.rpc.get() else { return Err(nobody(&call)) };
        // A stream can be read once, so a call that has one has one attempt.
        let is_whole = call.streams.is_empty();
        let mut pause = PAUSE_FIRST;
        loop {
            let mut last = None;
            for process in self.candidates(rpc, &call.target) {
                let streams = std::mem::take(&mut call.streams);
                let attempt = call.again(streams);
                match rpc.remote(process).invoke(attempt).await {
                    Err(error) if is_whole && error.status.may_pass() => last = Some(error),
                    outcome => return outcome,
                }
            }
            let wait = pause.mul_f64(0.5 + fastrand::f64());
            let is_full = last.as_ref().is_some_and(|error| error.status == Status::Overloaded);
            if is_full || Instant::now() + wait + MARGIN >= call.deadline {
                return Err(last.unwrap_or_else(|| nobody(&call)));
            }
            sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The processes that run `target`, the least busy first.
    fn candidates(&self, rpc: &Rpc, target: &ObjectId) -> Vec<ProcessId> {
        let mut processes = self.places.load().get(target).cloned().unwrap_or_default();
        fastrand::shuffle(&mut processes);
        processes.sort_by_cached_key(|process| {
            rpc.outstanding(*process) + u32::from(rpc.load_of(*process))
        });
        processes
    }
}

impl Invoke for Peers {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(self.carry(call))
    }

    fn invoke_at(&self, process: ProcessId, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let Some(rpc) = self.rpc.get() else { return Err(nobody(&call)) };
            rpc.remote(process).invoke(call).await
        })
    }
}

fn nobody(call: &Call) -> CallError {
    CallError::new(
        Status::Unavailable,
        format!("no process that can be reached runs {}", call.target),
    )
}
