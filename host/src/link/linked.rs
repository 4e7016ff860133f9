//! One link's own rules on top of the router: its timeout, and which functions may run twice; or that it is closed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Status};
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::record::Link;

use crate::fence::{Guard, hold};
use crate::link::Router;

/// What a binding invokes.
#[derive(Debug)]
pub struct Linked {
    router: Arc<Router>,
    timeout: Option<Duration>,
    idempotent: HashSet<String>,
    /// Of a singleton's link.
    guard: Option<Guard>,
}

impl Linked {
    /// The rules of `link`; calls end with `guard`, if its source runs by one.
    #[must_use]
    pub fn new(router: Arc<Router>, link: &Link, guard: Option<Guard>) -> Self {
        let timeout = link.timeout_ms.map(Duration::from_millis);
        Self { router, timeout, idempotent: link.idempotent.iter().cloned().collect(), guard }
    }

    fn bound(&self, call: &mut Call) {
        if let Some(timeout) = self.timeout {
            call.deadline = call.deadline.min(Instant::now() + timeout);
        }
    }

    fn held<'a>(&'a self, carried: Invocation<'a>) -> Invocation<'a> {
        match &self.guard {
            Some(guard) => hold(carried, guard.clone()),
            None => carried,
        }
    }

    fn is_idempotent(&self, call: &Call) -> bool {
        !self.idempotent.is_empty()
            && self.idempotent.contains(&format!(
                "{}.{}",
                call.interface.interface(),
                call.function
            ))
    }
}

impl Invoke for Linked {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        self.bound(&mut call);
        let carried = if self.is_idempotent(&call) {
            Box::pin(self.router.carry_idempotent(call))
        } else {
            self.router.invoke(call)
        };
        self.held(carried)
    }

    fn invoke_at(&self, process: ProcessId, mut call: Call) -> Invocation<'_> {
        self.bound(&mut call);
        self.held(self.router.invoke_at(process, call))
    }
}

/// A link to what another team does not grant: calls are denied here, as they would be there.
#[derive(Debug)]
pub struct Closed(CallError);

impl Closed {
    /// Says `why` to every call.
    #[must_use]
    pub fn new(why: &str) -> Self {
        Self(CallError::new(Status::Denied, format!("the link is closed: {why}")))
    }
}

impl Invoke for Closed {
    fn invoke(&self, _call: Call) -> Invocation<'_> {
        Box::pin(async { Err(self.0.clone()) })
    }
}
