//! Calls to other processes: one attempt each, at the process that the caller chose.
//!
//! A call is one message there and one back. Its future ends at the deadline, when the callee falls silent, when NATS
//! reports nobody there, or when this process stops; dropped before that, it cancels the callee's work.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use futures::future::poll_immediate;
use tokio::time::{Instant, timeout_at};

use super::SILENCE;
use super::departure::Departure;
use super::incoming::WINDOW_BYTES_MIN;
use super::outgoing::Written;
use super::patience::{Alarm, Patience};
use super::peer::Peer;
use super::shared::{Shared, StreamKey};
use super::table::lock;
use crate::call::{Call, CallError, Invocation, Invoke, Reply, Status, StreamError};
use crate::frame::{self, Frame, Outcome, StreamNumber, Value};
use crate::id::ProcessId;
use crate::subject::{Attempt, Callee};

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
    /// When the callee was last heard of, in the clock of [`Shared::now_ms`].
    heard_ms: AtomicU64,
    answer: Mutex<Option<Answer>>,
    pub(super) patience: Patience,
}

/// Calls one process. Cheap to make; what it knows of the process is shared.
pub(super) struct Remote {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Arc<Peer>,
}

/// Names a call in messages.
struct Name {
    callee: Callee,
    to: ProcessId,
}

impl Waiting {
    pub(super) fn answer(&self, answer: Answer) {
        lock(&self.answer).get_or_insert(answer);
        self.patience.wake();
    }

    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Invoke for Remote {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(self.attempt(call))
    }
}

impl Remote {
    async fn attempt(&self, call: Call) -> Result<Reply, CallError> {
        let now = Instant::now();
        let Call { target, interface, function, deadline, .. } = call;
        let name = Name { callee: Callee { target, interface, function }, to: self.peer.id };
        self.check_sendable(deadline, now, &name)?;
        let departure = Departure::new(call.params, call.streams, self.shared.whole_bytes_max())
            .map_err(|why| name.error(Status::Unsupported, &why))?;

        let mut attempt = UnderWay::start(&self.shared, &self.peer, now);
        let key = (self.peer.id, attempt.number);
        let (heads, params, parting) =
            departure.into_parts(StreamNumber::of_params, StreamNumber::PARAMS);
        let writers = parting.start(&self.shared, key, 0);
        let request = frame::Request {
            type_hash: call.type_hash,
            call: call.id,
            budget_ms: millis(deadline.saturating_duration_since(now)),
            credit: u32::try_from(WINDOW_BYTES_MIN).unwrap_or(u32::MAX),
            source: call.source,
            link: call.link.name,
            link_revision: call.link.revision,
            trace: call.trace,
            heads,
            params,
        };
        self.publish(request.encode(), &attempt, deadline, &name).await?;
        attempt.is_sent = true;
        for writer in writers {
            self.shared.tasks.spawn_on(writer.run(), &self.shared.workers);
        }
        let answer = attempt.wait(deadline, now, &name).await?;
        self.take(answer, &mut attempt, deadline, &name).await
    }

    fn check_sendable(
        &self,
        deadline: Instant,
        now: Instant,
        name: &Name,
    ) -> Result<(), CallError> {
        if self.shared.stop.is_cancelled() {
            return Err(name.error(Status::Unavailable, "this process is stopping"));
        }
        if !self.shared.nats.calls().is_connected() {
            return Err(
                name.error(Status::Unavailable, "this process has lost its connection to NATS")
            );
        }
        if deadline <= now {
            return Err(name.error(Status::Deadline, "the deadline had passed before it was sent"));
        }
        Ok(())
    }

    async fn publish(
        &self,
        request: Bytes,
        attempt: &UnderWay,
        deadline: Instant,
        name: &Name,
    ) -> Result<(), CallError> {
        let subject = self.peer.request_subject(&name.callee);
        let inbox = Subject::from(self.peer.inbox_subject(attempt.number));
        let client = &self.shared.nats.calls().client;
        let mut publishing = pin!(client.publish_with_reply(subject, inbox, request));
        // There is nearly always room, and a timer for nothing.
        let published = match poll_immediate(publishing.as_mut()).await {
            Some(published) => Ok(published),
            None => timeout_at(deadline, publishing).await,
        };
        match published {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(name.error(Status::Unavailable, "the connection to NATS is closed")),
            Err(_) => Err(name.error(Status::Unavailable, "the connection to NATS takes no more")),
        }
    }

    /// Makes a reply of what came back.
    async fn take(
        &self,
        answer: Answer,
        attempt: &mut UnderWay,
        deadline: Instant,
        name: &Name,
    ) -> Result<Reply, CallError> {
        let message = match answer {
            Answer::Reply(message) => message,
            Answer::NoResponders => {
                attempt.is_over = true;
                return Err(name.error(Status::Unavailable, "no such process is connected"));
            }
            Answer::Stopping => return Err(name.error(Status::Lost, "this process is stopping")),
        };
        attempt.is_over = true;
        let reply = match Frame::decode(message) {
            Ok(Frame::Reply(reply)) => reply,
            Ok(_) => return Err(name.error(Status::BadFrame, "its reply is none")),
            Err(error) => return Err(name.error(Status::BadFrame, &error.to_string())),
        };
        self.peer.load.store(reply.load, Ordering::Relaxed);
        let (heads, results) = match reply.outcome {
            Outcome::Failed { status, message } => return Err(CallError { status, message }),
            Outcome::Results { heads, results } => (heads, results),
        };
        let key = |number| StreamKey { peer: self.peer.id, attempt: attempt.number, number };
        let results = match results {
            Value::Whole(results) => results,
            Value::Parts(total) => {
                let gathering = self.shared.gather(key(StreamNumber::RESULTS), total);
                match timeout_at(deadline, gathering).await {
                    Ok(Ok(results)) => results,
                    Ok(Err(error)) => return Err(name.torn(&error)),
                    Err(_) => {
                        return Err(
                            name.error(Status::Deadline, "its results did not all arrive in time")
                        );
                    }
                }
            }
        };
        let read = |(index, head)| self.shared.read(key(StreamNumber::of_results(index)), head);
        let streams = heads.into_iter().enumerate().map(read).collect();
        attempt.has_results = true;
        Ok(Reply { results, streams })
    }
}

/// Registers an attempt; dropped, it leaves nothing behind here or at the callee.
struct UnderWay {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    waiting: Arc<Waiting>,
    number: Attempt,
    /// The callee may know of it.
    is_sent: bool,
    /// The callee has nothing to cancel.
    is_over: bool,
    /// The streams have readers of their own.
    has_results: bool,
}

impl UnderWay {
    fn start(shared: &Arc<Shared>, peer: &Arc<Peer>, now: Instant) -> Self {
        let now_ms = shared.ms_at(now);
        let waiting = Arc::new(Waiting {
            peer: peer.id,
            heard_ms: AtomicU64::new(now_ms),
            answer: Mutex::new(None),
            patience: Patience::new(now_ms),
        });
        let number = shared.next_attempt();
        shared.waiting.insert(number, Arc::clone(&waiting));
        shared.wake_ticker();
        peer.outstanding.fetch_add(1, Ordering::Relaxed);
        let (shared, peer) = (Arc::clone(shared), Arc::clone(peer));
        Self { shared, peer, waiting, number, is_sent: false, is_over: false, has_results: false }
    }

    /// Waits for the answer, until the deadline or until the callee has been silent for too long.
    async fn wait(
        &self,
        deadline: Instant,
        now: Instant,
        name: &Name,
    ) -> Result<Answer, CallError> {
        let mut alarm = Alarm::new(deadline.min(now + SILENCE), now);
        poll_fn(|cx| {
            self.waiting.patience.register(cx);
            let answer = lock(&self.waiting.answer).take();
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
        let heard = self.waiting.heard_ms.load(Ordering::Relaxed);
        let silent = Duration::from_millis(self.shared.now_ms().saturating_sub(heard));
        let left =
            SILENCE.checked_sub(silent).filter(|left| !left.is_zero()).ok_or(Status::Lost)?;
        // One more millisecond: clocks are read twice.
        Ok(deadline.min(now + left + Duration::from_millis(1)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.shared.waiting.remove(&self.number);
        self.peer.outstanding.fetch_sub(1, Ordering::Relaxed);
        if self.has_results {
            return;
        }
        if self.is_sent && !self.is_over {
            self.shared.tell(&self.peer, self.number, &Frame::Cancel);
        }
        let key = (self.peer.id, self.number);
        self.shared.forget_results(key);
        self.shared.end_outgoing(key, Written::ByCaller);
    }
}

impl Name {
    fn error(&self, status: Status, why: &str) -> CallError {
        let Self { callee, to } = self;
        CallError::new(status, format!("cannot call {callee} in process {to}: {why}"))
    }

    /// The results began to arrive and then did not.
    fn torn(&self, error: &StreamError) -> CallError {
        self.error(Status::Lost, &format!("its results did not arrive whole: {error}"))
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
