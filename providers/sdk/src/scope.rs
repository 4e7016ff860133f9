//! What a provider may ask about the call that it is answering.

use std::sync::Arc;

use tokio::time::Instant;
use wicker_lattice::call::{Call, LinkRef, TraceContext};
use wicker_lattice::id::{CallId, ObjectId};

use crate::pinned::Pins;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The call under way. Most functions need nothing of it, so it is not a parameter of each.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Stays the same when the caller tries again: an idempotency key.
    pub id: CallId,
    /// Who calls.
    pub source: ObjectId,
    /// Who is called: this provider.
    pub target: ObjectId,
    /// By which link.
    pub link: LinkRef,
    /// When the caller stops waiting. The function is dropped then.
    pub deadline: Instant,
    /// W3C trace context, where the caller is traced.
    pub trace: Option<TraceContext>,
    /// What the provider keeps for its callers.
    pub(crate) pins: Arc<Pins>,
}

impl Scope {
    /// The call that the running function answers; `None` outside of one, or in a task that it spawned.
    #[must_use]
    pub fn current() -> Option<Self> {
        SCOPE.try_with(Clone::clone).ok()
    }

    /// Runs `answer` as the answer to this call.
    pub(crate) async fn run<T>(self, answer: impl Future<Output = T>) -> T {
        SCOPE.scope(self, answer).await
    }

    pub(crate) fn of(call: &Call, pins: &Arc<Pins>) -> Self {
        Self {
            id: call.id,
            source: call.source.clone(),
            target: call.target.clone(),
            link: call.link.clone(),
            deadline: call.deadline,
            trace: call.trace,
            pins: Arc::clone(pins),
        }
    }
}
