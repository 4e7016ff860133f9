//! A call that this process serves just now: with its deadline and its cancellation.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use super::patience::{Alarm, Patience};

/// A call being served.
pub(super) struct Running {
    pub(super) patience: Patience,
    /// When the caller last heard of it; 0: never yet.
    pub(super) beat_ms: AtomicU64,
    is_cancelled: AtomicBool,
}

/// How the work on a call ended.
pub(super) enum Done<T> {
    With(T),
    Late,
    Cancelled,
}

impl Running {
    pub(super) fn new(since_ms: u64) -> Self {
        let patience = Patience::new(since_ms);
        Self { patience, beat_ms: AtomicU64::new(0), is_cancelled: AtomicBool::new(false) }
    }

    /// Drops the work on it as soon as its task runs.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.patience.wake();
    }

    /// Works until it is done, cancelled, or late.
    pub(super) async fn work<T>(&self, work: impl Future<Output = T>, mut alarm: Alarm) -> Done<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.patience.register(cx);
            if self.is_cancelled.load(Ordering::Acquire) {
                return Poll::Ready(Done::Cancelled);
            }
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Done::With(output));
            }
            alarm.poll(&self.patience, cx).map(|()| Done::Late)
        })
        .await
    }
}
