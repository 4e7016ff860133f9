//! What names a call and a stream in the tables of one [`super::Rpc`].

use crate::frame::StreamNumber;
use crate::id::ProcessId;
use crate::subject::Attempt;

/// One attempt at a call, between this process and another.
pub(super) type AttemptKey = (ProcessId, Attempt);

/// One stream between this process and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    /// The process at its other end.
    pub(super) peer: ProcessId,
    pub(super) attempt: Attempt,
    pub(super) number: StreamNumber,
}

impl StreamKey {
    pub(super) fn new((peer, attempt): AttemptKey, number: StreamNumber) -> Self {
        Self { peer, attempt, number }
    }

    pub(super) fn attempt(&self) -> AttemptKey {
        (self.peer, self.attempt)
    }
}
