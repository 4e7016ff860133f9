//! Deadlines that cost a timer only once they may matter.
//!
//! Most calls end within a few milliseconds. A timer for each would cost more than a message, so a wait begins without
//! one, and the ticker wakes those that turn out to be slow, which then set theirs. A deadline that is near gets its
//! timer at once.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep_until};

/// How old a wait must be for the ticker to call it slow.
const SLOW_AFTER_MS: u64 = 25;

/// A deadline as near as this gets its timer at once: far above what the ticker takes to come round.
const NEAR: Duration = Duration::from_millis(200);

/// What a wait shares with the ticker, and with whoever ends it.
pub(super) struct Patience {
    /// When the wait began, in the clock of [`super::clock::Clock`].
    pub(super) since_ms: u64,
    is_slow: AtomicBool,
    waker: AtomicWaker,
}

/// A wait's own alarm.
pub(super) struct Alarm {
    at: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(since_ms: u64) -> Self {
        Self { since_ms, is_slow: AtomicBool::new(false), waker: AtomicWaker::new() }
    }

    /// To be called before the wait's conditions are looked at, so that no change of them is missed.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Lets a wait that is slow set its timer.
    pub(super) fn tick(&self, now_ms: u64) {
        let is_old = now_ms.saturating_sub(self.since_ms) >= SLOW_AFTER_MS;
        if is_old && !self.is_slow.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }
}

impl Alarm {
    pub(super) fn new(at: Instant, now: Instant) -> Self {
        let is_near = at.saturating_duration_since(now) < NEAR;
        Self { at, timer: is_near.then(|| Box::pin(sleep_until(at))) }
    }

    /// Whether the time has come. `patience` is registered with the same waker before.
    pub(super) fn poll(&mut self, patience: &Patience, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.is_none() && patience.is_slow.load(Ordering::Acquire) {
            self.timer = Some(Box::pin(sleep_until(self.at)));
        }
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }

    pub(super) fn reset(&mut self, at: Instant) {
        self.at = at;
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(at);
        }
    }
}
