//! When a call ends.
//!
//! A call has one moment at which it ends. An exchange of HTTP messages has it too, until bytes of a body begin to move:
//! from then on it ends when none has moved for the actor's limit, so that a large upload over a slow line is no
//! reason to end it, and a silent one is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When a call ends; a clone ends with it.
#[derive(Debug, Clone)]
pub(crate) enum Deadline {
    /// Then, come what may.
    At(Instant),
    /// When bytes have stopped moving.
    Moving(Arc<Moving>),
    /// Never; but each call that a guest makes takes so long at most.
    Each(Duration),
}

#[derive(Debug)]
pub(crate) struct Moving {
    start: Instant,
    first: Instant,
    limit: Duration,
    /// When bytes last moved, in milliseconds after `start`; 0 until they do.
    last_ms: AtomicU64,
}

impl Deadline {
    /// Ends at `first`, or `limit` after bytes last moved.
    pub(crate) fn while_moving(first: Instant, limit: Duration) -> Self {
        let (start, last_ms) = (Instant::now(), AtomicU64::new(0));
        Self::Moving(Arc::new(Moving { start, first, limit, last_ms }))
    }

    /// When the call ends, as things stand.
    pub(crate) fn get(&self) -> Instant {
        match self {
            Self::At(then) => *then,
            Self::Each(limit) => Instant::now() + *limit,
            Self::Moving(moving) => match moving.last_ms.load(Ordering::Relaxed) {
                0 => moving.first,
                last => {
                    let last = moving.start + Duration::from_millis(last);
                    moving.first.max(last + moving.limit)
                }
            },
        }
    }

    /// Says that bytes moved just now.
    pub(crate) fn moved(&self) {
        if let Self::Moving(moving) = self {
            let last = moving.start.elapsed().as_millis().max(1);
            moving.last_ms.store(u64::try_from(last).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

impl From<Instant> for Deadline {
    fn from(then: Instant) -> Self {
        Self::At(then)
    }
}

/// Wakes a task when a deadline has passed. Costs nothing until it is first asked.
#[derive(Debug)]
pub(crate) struct Alarm {
    deadline: Deadline,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, sleep: None }
    }

    /// What it waits for.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(self.deadline.get())));
        while sleep.as_mut().poll(cx).is_ready() {
            let ends = self.deadline.get();
            if ends <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(ends);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn bytes_that_move_put_off_the_end() {
        let start = Instant::now();
        let deadline = Deadline::while_moving(start + LIMIT, LIMIT);
        let mut alarm = Alarm::new(deadline.clone());
        tokio::time::advance(Duration::from_secs(8)).await;
        deadline.moved();
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 18);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_moves_nothing_ends_on_time() {
        let start = Instant::now();
        let mut alarm = Alarm::new(Deadline::while_moving(start + LIMIT, 2 * LIMIT));
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}
