//! Ends: of taking calls, when this process drains, and of everything, when it stops.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::outgoing::Ending;
use super::shared::Shared;
use super::waiting::Answer;

/// Calls were still being served when the grace period ended; they were cut off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{calls} calls and {streams} streams were cut off after {grace:?}")]
pub struct DrainError {
    /// Calls without an answer.
    pub calls: usize,
    /// Streams of answers that had not ended.
    pub streams: usize,
    /// How long they were given.
    pub grace: Duration,
}

impl Shared {
    /// See [`super::Rpc::drain`].
    pub(super) async fn drain(&self, grace: Duration) -> Result<(), DrainError> {
        self.is_draining.store(true, Ordering::SeqCst);
        // A request that was let in before this is among those that run from here on: see `Shared::on_request`.
        fence(Ordering::SeqCst);
        let drained = tokio::time::timeout(grace, self.until_idle()).await;
        self.serving.cancel();
        let (calls, streams) = (self.running.len(), self.answering());
        for (_, running) in self.running.to_vec() {
            running.cancel();
        }
        self.left.cancelled().await;
        tokio::join!(self.nats.calls().settle(), self.nats.bulk().settle());
        drained.map_err(|_| DrainError { calls, streams, grace })
    }

    /// Streams of answers that are being written.
    fn answering(&self) -> usize {
        let outgoing = self.outgoing.to_vec();
        outgoing.iter().filter(|(key, _)| key.number.is_written_by_callee()).count()
    }

    /// Resolves once nothing is served and no stream is written.
    async fn until_idle(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.running.len() == 0 && self.answering() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// When this stops, nothing may go on waiting for it.
    pub(super) async fn fail_when_stopped(self: Arc<Self>) {
        self.stop.cancelled().await;
        for (_, waiting) in self.waiting.to_vec() {
            waiting.answer(Answer::Stopping);
        }
        for (_, running) in self.running.to_vec() {
            running.cancel();
        }
        for unbegun in self.intake.close() {
            self.end_unbegun(unbegun);
        }
        for (_, incoming) in self.incoming.to_vec() {
            incoming.lose("this process is stopping");
        }
        for (_, outgoing) in self.outgoing.to_vec() {
            outgoing.end(Ending::Stopped);
        }
    }
}
