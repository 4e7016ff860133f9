//! An attempt at a call that waits for its answer, as the loops that read from NATS see it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::patience::Patience;
use super::table::lock;
use crate::id::ProcessId;

/// What an attempt waits for.
pub(super) enum Answer {
    /// A reply frame, as it came.
    Reply(Bytes),
    /// NATS knows no subscriber.
    NoResponders,
    /// This process stops.
    Stopping,
}

/// One attempt that is under way.
pub(super) struct Waiting {
    pub(super) peer: ProcessId,
    /// When the callee was last heard of, in the clock of [`super::clock::Clock`].
    heard_ms: AtomicU64,
    answer: Mutex<Option<Answer>>,
    pub(super) patience: Patience,
}

impl Waiting {
    pub(super) fn new(peer: ProcessId, now_ms: u64) -> Self {
        Self {
            peer,
            heard_ms: AtomicU64::new(now_ms),
            answer: Mutex::new(None),
            patience: Patience::new(now_ms),
        }
    }

    pub(super) fn answer(&self, answer: Answer) {
        lock(&self.answer).get_or_insert(answer);
        self.patience.wake();
    }

    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    pub(super) fn take_answer(&self) -> Option<Answer> {
        lock(&self.answer).take()
    }
}
