//! When a call ends.
//!
//! A call has one moment at which it ends. An exchange of HTTP messages has it too, put off by whatever moves of the
//! request's body, so that a large upload over a slow line is no reason to end it. Once its response *streams* it has no
//! such moment: a stream of events may be silent for hours, and ends when its reader leaves. What it may not do is
//! compute: the guest ends when it has used the actor's limit of processor time since a byte of either body moved.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When a call ends; a clone ends with it.
#[derive(Debug, Clone)]
pub(crate) enum Deadline {
    /// Then, come what may.
    At(Instant),
    /// As an exchange of HTTP messages does.
    Exchange(Arc<Exchange>),
    /// Never; but each call that a guest makes takes so long at most.
    Each(Duration),
}

#[derive(Debug)]
pub(crate) struct Exchange {
    start: Instant,
    first: Instant,
    limit: Duration,
    /// When bytes last moved, in milliseconds after `start`; 0 until they do.
    last_ms: AtomicU64,
    /// What the guest computed since, in microseconds.
    computed_us: AtomicU64,
    is_streaming: AtomicBool,
}

impl Deadline {
    /// Ends at `first`, or `limit` after bytes last moved.
    pub(crate) fn of_exchange(first: Instant, limit: Duration) -> Self {
        Self::Exchange(Arc::new(Exchange {
            start: Instant::now(),
            first,
            limit,
            last_ms: AtomicU64::new(0),
            computed_us: AtomicU64::new(0),
            is_streaming: AtomicBool::new(false),
        }))
    }

    /// When a call that begins now must have ended, as things stand.
    pub(crate) fn get(&self) -> Instant {
        match self {
            Self::At(then) => *then,
            Self::Each(limit) => Instant::now() + *limit,
            Self::Exchange(exchange) => exchange.get(),
        }
    }

    /// Says that bytes of a body moved just now.
    pub(crate) fn moved(&self) {
        if let Self::Exchange(exchange) = self {
            exchange.moved();
        }
    }

    /// Says that the response streams from now on.
    pub(crate) fn streams(&self) {
        if let Self::Exchange(exchange) = self {
            exchange.is_streaming.store(true, Ordering::Relaxed);
            exchange.moved();
        }
    }

    /// Says that the response was written to its end.
    pub(crate) fn streamed(&self) {
        if let Self::Exchange(exchange) = self
            && exchange.is_streaming.swap(false, Ordering::Relaxed)
        {
            exchange.moved();
        }
    }

    /// Says that the guest computed for `time`; `false` if that was too long while its response streams.
    pub(crate) fn compute(&self, time: Duration) -> bool {
        let Self::Exchange(exchange) = self else { return true };
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let before = exchange.computed_us.fetch_add(time, Ordering::Relaxed);
        let computed = Duration::from_micros(before.saturating_add(time));
        computed < exchange.limit || !exchange.is_streaming.load(Ordering::Relaxed)
    }
}

impl Exchange {
    fn get(&self) -> Instant {
        if self.is_streaming.load(Ordering::Relaxed) {
            return Instant::now() + self.limit;
        }
        match self.last_ms.load(Ordering::Relaxed) {
            0 => self.first,
            last => self.first.max(self.start + Duration::from_millis(last) + self.limit),
        }
    }

    fn moved(&self) {
        let last = self.start.elapsed().as_millis().max(1);
        self.last_ms.store(u64::try_from(last).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.computed_us.store(0, Ordering::Relaxed);
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
        let deadline = Deadline::of_exchange(start + LIMIT, LIMIT);
        let mut alarm = Alarm::new(deadline.clone());
        tokio::time::advance(Duration::from_secs(8)).await;
        deadline.moved();
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 18);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_moves_nothing_ends_on_time() {
        let start = Instant::now();
        let mut alarm = Alarm::new(Deadline::of_exchange(start + LIMIT, 2 * LIMIT));
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_streams_may_be_silent_until_it_was_written_to_its_end() {
        let start = Instant::now();
        let deadline = Deadline::of_exchange(start + LIMIT, LIMIT);
        deadline.streams();
        let mut alarm = Alarm::new(deadline.clone());
        let silence = tokio::time::timeout(360 * LIMIT, poll_fn(|cx| alarm.poll(cx)));
        assert!(silence.await.is_err());
        assert_eq!(deadline.get(), Instant::now() + LIMIT, "calls out have as long as ever");
        deadline.streamed();
        let ended = Instant::now();
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(ended.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_streams_may_compute_so_long_without_a_byte() {
        let deadline = Deadline::of_exchange(Instant::now() + LIMIT, LIMIT);
        assert!(deadline.compute(2 * LIMIT), "before it streams the time of day counts");
        deadline.streams();
        assert!(deadline.compute(LIMIT / 2));
        deadline.moved();
        assert!(deadline.compute(LIMIT / 2));
        assert!(!deadline.compute(LIMIT / 2));
    }
}
