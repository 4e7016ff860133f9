//! How many calls a provider answers at once: so many, so many more in a queue, and the rest are told at once.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wicker_lattice::call::{ByteStream, CallError, Reply, Status};

/// How much a provider takes on at once. The field `limits` of every provider's config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls answered at once, a streamed answer counting until its end. 1 at least; 256 by default.
    pub concurrency: u32,
    /// Calls that wait for their turn. 1024 by default.
    pub queue: u32,
    /// Resources kept for callers at once, such as open transactions. 10,000 by default.
    pub handles: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 256, queue: 1024, handles: 10_000 }
    }
}

/// Lets calls in.
#[derive(Debug)]
pub(crate) struct Gate {
    turns: Arc<Semaphore>,
    queue: Semaphore,
    inside: TaskTracker,
    limits: Limits,
}

/// A call that was let in, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _inside: TaskTrackerToken,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(limits.concurrency.max(1) as usize)),
            queue: Semaphore::new(limits.queue as usize),
            inside: TaskTracker::new(),
            limits,
        }
    }

    /// Waits for a turn. Cancel-safe: whoever leaves the queue leaves no trace.
    pub(crate) async fn enter(&self) -> Result<Turn, CallError> {
        let inside = self.inside.token();
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(TryAcquireError::Closed) => return Err(draining()),
            Err(TryAcquireError::NoPermits) => {
                let _place = self.queue.try_acquire().map_err(|_| self.overloaded())?;
                Arc::clone(&self.turns).acquire_owned().await.map_err(|_| draining())?
            }
        };
        Ok(Turn { _turn: turn, _inside: inside })
    }

    /// Lets nobody in any more, and waits until everybody has left.
    pub(crate) async fn drain(&self) {
        self.turns.close();
        self.inside.close();
        self.inside.wait().await;
    }

    fn overloaded(&self) -> CallError {
        let Limits { concurrency, queue, .. } = self.limits;
        let message = format!("{concurrency} calls are being answered and {queue} wait");
        CallError::new(Status::Overloaded, message)
    }
}

fn draining() -> CallError {
    CallError::new(Status::Draining, "the provider is stopping")
}

impl Turn {
    /// Keeps the turn until the last stream of `reply` has ended or was dropped.
    pub(crate) fn hold(self, mut reply: Reply) -> Reply {
        if !reply.streams.is_empty() {
            let turn = Arc::new(self);
            reply.streams = reply.streams.drain(..).map(|stream| held(stream, &turn)).collect();
        }
        reply
    }
}

fn held(stream: ByteStream, turn: &Arc<Turn>) -> ByteStream {
    use futures::StreamExt as _;
    let turn = Arc::clone(turn);
    ByteStream::new(stream.inspect(move |_| {
        let _held = &turn;
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(concurrency: u32, queue: u32) -> Gate {
        Gate::new(Limits { concurrency, queue, ..Limits::default() })
    }

    #[tokio::test]
    async fn call_past_the_queue_is_overloaded_at_once() {
        let gate = gate(1, 1);
        let first = gate.enter().await.unwrap();
        let mut second = std::pin::pin!(gate.enter());
        assert!(futures::poll!(&mut second).is_pending());
        assert_eq!(gate.enter().await.unwrap_err().status, Status::Overloaded);
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn drain_waits_for_who_is_inside_and_turns_away_who_waits() {
        let gate = gate(1, 1);
        let first = gate.enter().await.unwrap();
        let mut second = std::pin::pin!(gate.enter());
        assert!(futures::poll!(&mut second).is_pending());
        let mut drained = std::pin::pin!(gate.drain());
        assert!(futures::poll!(&mut drained).is_pending());
        assert_eq!(second.await.unwrap_err().status, Status::Draining);
        drop(first);
        drained.await;
    }

    #[tokio::test]
    async fn streamed_answer_counts_until_its_end() {
        let gate = gate(1, 0);
        let stream = ByteStream::from_bytes(bytes::Bytes::from_static(b"x"));
        let reply = Reply { streams: vec![stream], ..Reply::default() };
        let reply = gate.enter().await.unwrap().hold(reply);
        assert_eq!(gate.enter().await.unwrap_err().status, Status::Overloaded);
        drop(reply);
        gate.enter().await.unwrap();
    }
}
