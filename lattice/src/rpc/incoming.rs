//! The reading end of a stream that another process writes.
//!
//! Chunks wait here until they are read, never more than the credit that was granted, so a slow reader costs its own
//! window and stalls nobody. Credit is a position, not a difference: saying it again (each second) does no harm, heals
//! what was lost, and tells the writer that its reader lives. The window starts small and doubles as it is used.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::table::lock;
use crate::call::StreamError;
use crate::frame::Head;

/// What a stream's writer may send before it hears more.
pub(super) const WINDOW_BYTES_MIN: u64 = 256 << 10;

/// What a stream that is read as fast as it comes grows to (measured: larger gains nothing).
pub(super) const WINDOW_BYTES_MAX: u64 = 2 << 20;

/// What all windows of a process should not exceed together: half of what a nats-server keeps for a client before it
/// cuts the connection. Each stream has [`WINDOW_BYTES_MIN`] all the same.
const WINDOWS_BYTES_MAX: u64 = 32 << 20;

pub(super) struct Incoming {
    /// When its writer was last heard of, in the clock of [`super::clock::Clock`].
    pub(super) heard_ms: AtomicU64,
    /// When its credit was last said.
    pub(super) said_ms: AtomicU64,
    state: Mutex<State>,
}

/// What a reader takes.
pub(super) enum Taken {
    Chunk(Bytes),
    End(Result<(), StreamError>),
}

/// What comes after a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    More,
    End,
}

struct State {
    queue: VecDeque<Bytes>,
    /// Bytes that came, and bytes that were read, since the stream's start.
    received: u64,
    consumed: u64,
    /// Bytes that may come, since the stream's start.
    limit: u64,
    window: u64,
    /// Of the next chunk.
    sequence: u32,
    end: Option<Result<(), StreamError>>,
    waker: Option<Waker>,
}

impl Incoming {
    pub(super) fn new(now_ms: u64) -> Self {
        let state = State {
            queue: VecDeque::new(),
            received: 0,
            consumed: 0,
            limit: WINDOW_BYTES_MIN,
            window: WINDOW_BYTES_MIN,
            sequence: 0,
            end: None,
            waker: None,
        };
        let (heard_ms, said_ms) = (AtomicU64::new(now_ms), AtomicU64::new(now_ms));
        Self { heard_ms, said_ms, state: Mutex::new(state) }
    }

    /// Puts the stream's beginning before what may have overtaken it.
    pub(super) fn begin(&self, head: Head) {
        let mut state = lock(&self.state);
        let len = head.bytes.len() as u64;
        state.received += len;
        state.limit += len;
        if len > 0 {
            state.queue.push_front(head.bytes);
        }
    }

    pub(super) fn chunk(&self, sequence: u32, bytes: Bytes, then: Then) {
        self.change(|state| {
            if !state.follows(sequence) {
                return;
            }
            state.sequence = sequence.wrapping_add(1);
            state.received += bytes.len() as u64;
            if state.received > state.limit {
                state.fail("its writer exceeds its credit");
                return;
            }
            if !bytes.is_empty() {
                state.queue.push_back(bytes);
            }
            if then == Then::End {
                state.end = Some(Ok(()));
            }
        });
    }

    pub(super) fn abort(&self, sequence: u32, message: String) {
        self.change(|state| {
            if state.follows(sequence) {
                state.end = Some(Err(StreamError::Aborted(message)));
            }
        });
    }

    /// The writer lives, and has sent all chunks below `sequence`. A chunk that it sent meanwhile may have come first.
    pub(super) fn pulse(&self, sequence: u32) {
        self.change(|state| {
            let missing = sequence.wrapping_sub(state.sequence);
            if (1..=u32::MAX / 2).contains(&missing) {
                state.follows(sequence);
            }
        });
    }

    /// Ends the stream where it has not ended by itself.
    pub(super) fn lose(&self, why: &str) {
        self.change(|state| state.fail(why));
    }

    /// The position to which the writer may go, while there is more to come.
    pub(super) fn credit(&self) -> Option<u64> {
        let state = lock(&self.state);
        state.end.is_none().then_some(state.limit)
    }

    /// Takes what came next, or leaves the reader's waker. Says how far the writer may go, where that changed; `streams`
    /// share the process's memory.
    pub(super) fn poll(&self, streams: usize, cx: &Context<'_>) -> Poll<(Taken, Option<u64>)> {
        let mut state = lock(&self.state);
        if let Some(bytes) = state.queue.pop_front() {
            state.consumed += bytes.len() as u64;
            return Poll::Ready((Taken::Chunk(bytes), state.refill(streams)));
        }
        if let Some(end) = state.end.clone() {
            return Poll::Ready((Taken::End(end), None));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = lock(&self.state);
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Whether the chunk of this sequence is the next one. A later one shows that some were lost.
    fn follows(&mut self, sequence: u32) -> bool {
        if self.end.is_some() {
            return false;
        }
        if sequence != self.sequence {
            self.fail("a chunk was lost on its way");
            return false;
        }
        true
    }

    fn fail(&mut self, why: &str) {
        if self.end.is_none() {
            self.end = Some(Err(StreamError::Lost(why.to_owned())));
        }
    }

    /// The new limit, once half of the window is read; `streams` share the process's memory.
    fn refill(&mut self, streams: usize) -> Option<u64> {
        let is_due =
            self.end.is_none() && self.limit - self.consumed.min(self.limit) <= self.window / 2;
        is_due.then(|| {
            let share = WINDOWS_BYTES_MAX / (streams.max(1) as u64);
            self.window = (self.window * 2).min(share.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX));
            // A window may shrink, but what was granted stays granted.
            self.limit = self.limit.max(self.consumed + self.window);
            self.limit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(incoming: &Incoming) -> Option<Result<(), StreamError>> {
        lock(&incoming.state).end.clone()
    }

    #[test]
    fn missing_chunk_loses_the_stream() {
        let incoming = Incoming::new(0);
        incoming.chunk(0, Bytes::from_static(b"a"), Then::More);
        incoming.chunk(2, Bytes::from_static(b"c"), Then::End);
        assert!(matches!(end(&incoming), Some(Err(StreamError::Lost(_)))));
    }

    #[test]
    fn pulse_shows_a_missing_tail() {
        let incoming = Incoming::new(0);
        incoming.chunk(0, Bytes::from_static(b"a"), Then::More);
        incoming.pulse(1);
        assert_eq!(end(&incoming), None);
        incoming.pulse(2);
        assert!(matches!(end(&incoming), Some(Err(StreamError::Lost(_)))));
    }

    #[test]
    fn pulse_that_a_chunk_has_overtaken_loses_nothing() {
        let incoming = Incoming::new(0);
        incoming.chunk(0, Bytes::from_static(b"a"), Then::More);
        incoming.chunk(1, Bytes::from_static(b"b"), Then::More);
        incoming.pulse(1);
        incoming.pulse(0);
        incoming.chunk(2, Bytes::from_static(b"c"), Then::End);
        assert_eq!(end(&incoming), Some(Ok(())));
    }

    #[test]
    fn writer_beyond_its_credit_is_cut_off() {
        let incoming = Incoming::new(0);
        let window = usize::try_from(WINDOW_BYTES_MIN).unwrap();
        incoming.chunk(0, Bytes::from(vec![0; window]), Then::More);
        assert_eq!(end(&incoming), None);
        incoming.chunk(1, Bytes::from_static(b"x"), Then::More);
        assert!(matches!(end(&incoming), Some(Err(StreamError::Lost(_)))));
    }

    #[test]
    fn end_is_final() {
        let incoming = Incoming::new(0);
        incoming.chunk(0, Bytes::new(), Then::End);
        incoming.abort(1, "late".to_owned());
        incoming.lose("late");
        assert_eq!(end(&incoming), Some(Ok(())));
        assert_eq!(incoming.credit(), None);
    }

    #[test]
    fn window_grows_while_it_is_used_and_is_bounded() {
        let incoming = Incoming::new(0);
        let mut state = lock(&incoming.state);
        let mut limits = Vec::new();
        for _ in 0..8 {
            state.consumed = state.limit;
            limits.push(state.refill(1).unwrap() - state.consumed);
            assert_eq!(state.refill(1), None);
        }
        assert_eq!(limits.first(), Some(&(512 << 10)));
        assert_eq!(limits.last(), Some(&WINDOW_BYTES_MAX));
        state.consumed = state.limit;
        assert_eq!(state.refill(64).unwrap() - state.consumed, 512 << 10);
        state.consumed = state.limit;
        assert_eq!(state.refill(100_000).unwrap() - state.consumed, WINDOW_BYTES_MIN);
    }
}
