//! The writing end of a stream, as the loops that read from NATS see it: how far its reader lets it go, and whether it
//! is to end.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;

use futures::pin_mut;
use futures::task::AtomicWaker;

pub(super) struct Outgoing {
    /// When its reader was last heard of, in the clock of [`super::clock::Clock`].
    pub(super) heard_ms: AtomicU64,
    /// When the last pulse was sent.
    pub(super) said_ms: AtomicU64,
    limit: AtomicU64,
    /// Of the next chunk.
    sequence: AtomicU32,
    ending: AtomicU8,
    waker: AtomicWaker,
}

/// Why a stream is not written to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ending {
    /// The reader wants no more.
    Stopped = 1,
    /// The reader is silent.
    Lost = 2,
}

impl Outgoing {
    pub(super) fn new(limit: u64, now_ms: u64) -> Self {
        Self {
            heard_ms: AtomicU64::new(now_ms),
            said_ms: AtomicU64::new(now_ms),
            limit: AtomicU64::new(limit),
            sequence: AtomicU32::new(0),
            ending: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        }
    }

    /// The reader takes bytes up to this position.
    pub(super) fn credit(&self, limit: u64) {
        if self.limit.fetch_max(limit, Ordering::AcqRel) < limit {
            self.waker.wake();
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.store(ending as u8, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Of the next chunk: what a pulse says.
    pub(super) fn sequence(&self) -> u32 {
        self.sequence.load(Ordering::Acquire)
    }

    /// One more chunk is sent.
    pub(super) fn advance(&self) {
        self.sequence.fetch_add(1, Ordering::AcqRel);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) != 0
    }

    /// Waits for `work`; `None` if the stream is to end first.
    pub(super) async fn unless_ending<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        pin_mut!(work);
        poll_fn(|cx| {
            if self.is_ending() {
                return Poll::Ready(None);
            }
            self.waker.register(cx.waker());
            if self.is_ending() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Waits until more than `position` may be sent, and says up to where.
    pub(super) async fn room(&self, position: u64) -> Option<u64> {
        // The waker that `unless_ending` registers is the one that `credit` wakes.
        let room = poll_fn(|_| {
            let limit = self.limit.load(Ordering::Acquire);
            if limit > position { Poll::Ready(limit - position) } else { Poll::Pending }
        });
        self.unless_ending(room).await
    }
}
