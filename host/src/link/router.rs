//! Carries a call to one of the processes that serve its target: here if it runs here, else the less loaded of two.
//!
//! A process that is not there, drains, or has a full queue did not run the call, so the next one is tried; when all
//! were tried, again after a jittered pause, inside the deadline. Anything else is the call's outcome. A call that may
//! have run is sent again only where its link says the function is idempotent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wicker_lattice::call::{Call, CallError, Class, Invocation, Invoke, Reply, Status};
use wicker_lattice::id::{ObjectId, ProcessId};

use super::replay::Replay;
use crate::table::{Place, Table};

/// The first pause after every process was tried; doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(5);

/// Short enough to notice a target that came back before a person does.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// How long a call waits for a target that nothing in the lattice speaks of: the records may be on their way.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(2);

/// How long before the deadline the last attempt is given up, so that the caller hears why.
const MARGIN: Duration = Duration::from_millis(20);

/// How busy each process said it was; `wicker_lattice::rpc` knows from replies.
pub type Load = Arc<dyn Fn(ProcessId) -> u8 + Send + Sync>;

/// Sends calls to where their targets run. One a host; targets are in the calls.
pub struct Router {
    table: Arc<Table>,
    load: Load,
}

impl Router {
    /// A router over `table`.
    #[must_use]
    pub fn new(table: Arc<Table>, load: Load) -> Self {
        Self { table, load }
    }

    /// Like [`Invoke::invoke`], for a function that may run more than once.
    ///
    /// # Errors
    /// As [`CallError`] says.
    pub async fn carry_idempotent(&self, call: Call) -> Result<Reply, CallError> {
        self.carry(call, Class::MaybeExecuted).await
    }

    async fn carry(&self, call: Call, retried: Class) -> Result<Reply, CallError> {
        let begun = Instant::now();
        let mut replay = Replay::new(call);
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match self.one_round(&mut replay, retried).await {
                Round::Over(outcome) => return outcome,
                Round::Overloaded(error) => return Err(error),
                Round::Again(error) => error,
            };
            let until = self.patience(replay.call(), begun);
            let wait = pause.mul_f64(0.5 + fastrand::f64());
            if Instant::now() + wait + MARGIN >= until {
                return Err(error.unwrap_or_else(|| self.nobody(replay.call())));
            }
            sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Tries each process that serves the target once, the best first.
    async fn one_round(&self, replay: &mut Replay, retried: Class) -> Round {
        let target = replay.call().target.clone();
        let mut tried = Vec::new();
        let mut last = None;
        let mut is_overloaded = false;
        while let Some(candidate) = self.next(&target, &tried) {
            let Some(call) = replay.attempt() else { break };
            tried.push(candidate.process());
            match self.attempt(&candidate, call).await {
                Err(error) if may_retry(&error, retried) => {
                    is_overloaded |= error.status == Status::Overloaded;
                    last = Some(error);
                }
                outcome => return Round::Over(outcome),
            }
        }
        match last {
            // Waiting for a queue to empty would only make it longer.
            Some(error) if is_overloaded => Round::Overloaded(error),
            last => Round::Again(last),
        }
    }

    fn next(&self, target: &ObjectId, tried: &[Option<ProcessId>]) -> Option<Candidate> {
        if !tried.contains(&None) && self.table.locals().contains_key(target) {
            return Some(Candidate::Here);
        }
        let places = self.table.places();
        let untried =
            places.of(target).iter().filter(|place| !tried.contains(&Some(place.peer.process())));
        choose(untried, self.load.as_ref()).map(|place| Candidate::There(place.clone()))
    }

    async fn attempt(&self, candidate: &Candidate, call: Call) -> Result<Reply, CallError> {
        match candidate {
            Candidate::Here => {
                let local = self.table.locals().get(&call.target).cloned();
                match local {
                    Some(local) => self.table.answer(&local, call).await,
                    None => Err(self.nobody(&call)),
                }
            }
            Candidate::There(place) => {
                place.peer.probe();
                let _outstanding = place.peer.count();
                let outcome = place.peer.remote().invoke(call).await;
                match &outcome {
                    Err(error) if is_silence(error) => place.peer.avoid(),
                    _ => place.peer.trust(),
                }
                outcome
            }
        }
    }

    /// Until when it makes sense to wait for somebody to serve `call`.
    fn patience(&self, call: &Call, begun: Instant) -> Instant {
        let is_known = self.table.places().is_known(&call.target)
            || self.table.locals().contains_key(&call.target);
        if is_known { call.deadline } else { call.deadline.min(begun + UNKNOWN_PATIENCE) }
    }

    fn nobody(&self, call: &Call) -> CallError {
        let Call { target, source, .. } = call;
        let package = call.interface.package();
        let message = if self.table.places().is_known(target) {
            format!("no host that can be reached runs {target} (see: wicker inspect {target})")
        } else {
            format!(
                "{target} does not exist; deploy it, or: wicker link set {source} {package} TARGET"
            )
        };
        CallError::new(Status::Unavailable, message)
    }
}

impl Invoke for Router {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            // Calls that stay here are most calls, so they get the short way; what they do not need is boxed apart.
            let local = self.table.locals().get(&call.target).cloned();
            let call = match local.filter(|_| call.streams.is_empty()) {
                Some(local) => {
                    let again = call.again(Vec::new());
                    match self.table.answer(&local, call).await {
                        Err(error) if may_retry(&error, Class::NotExecuted) => again,
                        outcome => return outcome,
                    }
                }
                None => call,
            };
            Box::pin(self.carry(call, Class::NotExecuted)).await
        })
    }

    fn invoke_at(&self, process: ProcessId, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let places = self.table.places();
            let there =
                places.of(&call.target).iter().find(|place| place.peer.process() == process);
            // What runs here knows by itself whether a handle is its own.
            let candidate = there.map_or(Candidate::Here, |place| Candidate::There(place.clone()));
            drop(places);
            let outcome = self.attempt(&candidate, call).await;
            outcome.map_err(|error| match error.status {
                Status::Unavailable | Status::Draining => {
                    let message =
                        format!("what the handle stands for ended with its process: {error}");
                    CallError::new(Status::Gone, message)
                }
                _ => error,
            })
        })
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}

/// How one round ended.
enum Round {
    /// The call has an outcome.
    Over(Result<Reply, CallError>),
    /// Nobody ran it, and a queue was full.
    Overloaded(CallError),
    /// Nobody ran it; why the last one did not, if there was one.
    Again(Option<CallError>),
}

enum Candidate {
    Here,
    There(Place),
}

impl Candidate {
    /// `None`: this host.
    fn process(&self) -> Option<ProcessId> {
        match self {
            Self::Here => None,
            Self::There(place) => Some(place.peer.process()),
        }
    }
}

/// Near before far, trusted before avoided, then the less busy of two taken at random.
fn choose<'a>(
    untried: impl Iterator<Item = &'a Place>,
    load: &dyn Fn(ProcessId) -> u8,
) -> Option<&'a Place> {
    let rank = |place: &Place| (place.peer.is_avoided(), !place.is_near);
    let mut best: Vec<&Place> = Vec::new();
    for place in untried {
        match best.first().map(|first| rank(place).cmp(&rank(first))) {
            None | Some(std::cmp::Ordering::Equal) => best.push(place),
            Some(std::cmp::Ordering::Less) => best = vec![place],
            Some(std::cmp::Ordering::Greater) => {}
        }
    }
    let first = best.get(fastrand::usize(..best.len().max(1))).copied()?;
    let second = best.get(fastrand::usize(..best.len())).copied()?;
    let busy = |place: &Place| place.peer.outstanding() + u32::from(load(place.peer.process()));
    Some(if busy(second) < busy(first) { second } else { first })
}

fn may_retry(error: &CallError, retried: Class) -> bool {
    error.status.may_pass() || (error.status == Status::Lost && retried == Class::MaybeExecuted)
}

/// The process itself did not answer, whatever it was asked.
fn is_silence(error: &CallError) -> bool {
    matches!(error.status, Status::Unavailable | Status::Draining | Status::Lost)
}

#[cfg(test)]
mod tests;
