//! One attempt at a call: on the table while it waits, and gone without a trace when it is dropped.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::SILENCE;
use super::patience::Alarm;
use super::peer::{Inbox, Peer};
use super::shared::Shared;
use super::waiting::{Answer, Waiting};
use super::writer::Written;
use crate::call::{CallError, Status, StreamError};
use crate::frame::Frame;
use crate::id::ProcessId;
use crate::subject::Callee;

/// Names a call in messages.
pub(super) struct Name {
    pub(super) callee: Callee,
    pub(super) to: ProcessId,
}

/// Registers an attempt; dropped, it leaves nothing behind here or at the callee.
pub(super) struct UnderWay {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    waiting: Arc<Waiting>,
    pub(super) inbox: Inbox,
    pub(super) stage: Stage,
    /// The request or the reply has streams, or parts that follow it.
    pub(super) has_streams: bool,
}

/// How far an attempt came: what is to be tidied up when it is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The callee cannot know of it.
    Unsent,
    /// The callee may know of it.
    Sent,
    /// The callee has nothing to cancel. Without streams, nothing of the attempt is on its way any more.
    Answered,
    /// The streams have readers and writers of their own.
    Streams,
}

impl UnderWay {
    pub(super) fn start(shared: &Arc<Shared>, peer: &Arc<Peer>, now: Instant) -> Self {
        let now_ms = shared.clock.ms_at(now);
        let waiting = Arc::new(Waiting::new(peer.id, now_ms));
        let inbox = peer.inbox(|| shared.next_attempt());
        shared.waiting.insert(inbox.number, Arc::clone(&waiting));
        shared.wake_ticker();
        peer.outstanding.fetch_add(1, Ordering::Relaxed);
        let (shared, peer) = (Arc::clone(shared), Arc::clone(peer));
        Self { shared, peer, waiting, inbox, stage: Stage::Unsent, has_streams: false }
    }

    /// Waits for the answer, until the deadline or until the callee has been silent for too long.
    pub(super) async fn wait(
        &self,
        deadline: Instant,
        now: Instant,
        name: &Name,
    ) -> Result<Answer, CallError> {
        let mut alarm = Alarm::new(deadline.min(now + SILENCE), now);
        poll_fn(|cx| {
            self.waiting.patience.register(cx);
            let answer = self.waiting.take_answer();
            if let Some(answer) = answer {
                return Poll::Ready(Ok(answer));
            }
            while alarm.poll(&self.waiting.patience, cx).is_ready() {
                match self.patience(deadline) {
                    Ok(until) => alarm.reset(until),
                    Err(Status::Deadline) => {
                        return Poll::Ready(Err(
                            name.error(Status::Deadline, "it has not answered in time")
                        ));
                    }
                    Err(status) => {
                        return Poll::Ready(Err(name.error(status, "its process fell silent")));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Until when to wait on, judged now.
    fn patience(&self, deadline: Instant) -> Result<Instant, Status> {
        let now = Instant::now();
        if now >= deadline {
            return Err(Status::Deadline);
        }
        let heard = self.waiting.heard_ms();
        let silent = Duration::from_millis(self.shared.clock.now_ms().saturating_sub(heard));
        let left =
            SILENCE.checked_sub(silent).filter(|left| !left.is_zero()).ok_or(Status::Lost)?;
        // One more millisecond: clocks are read twice.
        Ok(deadline.min(now + left + Duration::from_millis(1)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let number = self.inbox.number;
        self.shared.waiting.remove(&number);
        self.peer.outstanding.fetch_sub(1, Ordering::Relaxed);
        match self.stage {
            Stage::Answered if !self.has_streams => {
                return self.peer.take_back(self.inbox.clone());
            }
            Stage::Streams => return,
            Stage::Sent => self.shared.tell(&self.peer, number, &Frame::Cancel),
            Stage::Unsent | Stage::Answered => {}
        }
        let key = (self.peer.id, number);
        self.shared.forget_results(key);
        self.shared.end_outgoing(key, Written::ByCaller);
    }
}

impl Name {
    pub(super) fn error(&self, status: Status, why: &str) -> CallError {
        let Self { callee, to } = self;
        CallError::new(status, format!("cannot call {callee} in process {to}: {why}"))
    }

    /// The results began to arrive and then did not.
    pub(super) fn torn(&self, error: &StreamError) -> CallError {
        self.error(Status::Lost, &format!("its results did not arrive whole: {error}"))
    }
}
