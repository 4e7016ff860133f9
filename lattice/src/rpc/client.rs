//! Calls to other processes: one attempt each, at the process that the caller chose.
//!
//! A call is one message there and one back. Its future ends at the deadline, when the callee falls silent, when NATS
//! reports nobody there, or when this process stops; dropped before that, it cancels the callee's work.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::poll_immediate;
use tokio::time::{Instant, timeout_at};

use super::attempt::{Name, Stage, UnderWay};
use super::departure::Departure;
use super::incoming::WINDOW_BYTES_MIN;
use super::keys::StreamKey;
use super::peer::Peer;
use super::shared::Shared;
use super::waiting::Answer;
use crate::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use crate::frame::{self, Frame, Outcome, StreamNumber, Value};
use crate::subject::Callee;

/// Calls one process. Cheap to make; what it knows of the process is shared.
pub(super) struct Remote {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Arc<Peer>,
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
        let key = (self.peer.id, attempt.inbox.number);
        let (heads, params, parting) =
            departure.into_parts(StreamNumber::of_params, StreamNumber::PARAMS);
        let writers = parting.start(&self.shared, key, 0);
        attempt.has_streams = !writers.is_empty() || !heads.is_empty();
        let request = frame::Request {
            type_hash: call.type_hash,
            call: call.id,
            budget_ms: millis(deadline.saturating_duration_since(now)),
            credit: u32::try_from(WINDOW_BYTES_MIN).unwrap_or(u32::MAX),
            source: call.source,
            link: call.link.name,
            link_revision: call.link.revision,
            trace: call.trace,
            fence: call.fence,
            heads,
            params,
        };
        self.publish(request.encode(), &attempt, deadline, &name).await?;
        attempt.stage = Stage::Sent;
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
        let inbox = attempt.inbox.subject.clone();
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
                attempt.stage = Stage::Answered;
                return Err(name.error(Status::Unavailable, "no such process is connected"));
            }
            Answer::Stopping => return Err(name.error(Status::Lost, "this process is stopping")),
        };
        let reply = match Frame::decode(message) {
            Ok(Frame::Reply(reply)) => reply,
            Ok(_) => return Err(name.error(Status::BadFrame, "its reply is none")),
            Err(error) => return Err(name.error(Status::BadFrame, &error.to_string())),
        };
        attempt.stage = Stage::Answered;
        self.peer.load.store(reply.load, Ordering::Relaxed);
        let (heads, results) = match reply.outcome {
            Outcome::Failed { status, message } => return Err(CallError { status, message }),
            Outcome::Results { heads, results } => (heads, results),
        };
        attempt.has_streams |= !heads.is_empty() || matches!(results, Value::Parts(_));
        let key = |number| StreamKey::new((self.peer.id, attempt.inbox.number), number);
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
        if attempt.has_streams {
            attempt.stage = Stage::Streams;
        }
        Ok(Reply { results, streams })
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
