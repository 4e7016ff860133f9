//! Requests as they come: read, let in or refused at once, and handed to whoever begins them. Nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use super::admitted::Admitted;
use super::keys::{AttemptKey, StreamKey};
use super::running::Running;
use super::shared::Shared;
use super::writer::Written;
use crate::call::{Call, CallError, LinkRef, Status};
use crate::frame::{Request, StreamNumber, Value};
use crate::subject::{self, Callee};

/// A request that was read.
struct Taken {
    call: Call,
    credit: u64,
    parts: Option<u32>,
    callee: Arc<Callee>,
}

impl Shared {
    /// Takes one request from the wire.
    pub(super) fn on_request(self: &Arc<Self>, message: Message) {
        let Some((from, tokens)) = subject::parse_request(&message.subject) else {
            warn!(subject = %message.subject, "request on a subject that is none");
            return;
        };
        let peer = self.peer(from);
        let reply_to = message.reply.clone();
        // A reply goes to the inbox of whom NATS let publish the request, and nowhere else.
        let Some((attempt, reply_to)) =
            reply_to.and_then(|subject| Some((peer.parse_reply_subject(&subject)?, subject)))
        else {
            warn!(%from, "request that does not say where its caller listens");
            return;
        };
        let (key, now) = ((from, attempt), Instant::now());
        let taken =
            self.admit().and_then(|()| self.read_request(key, now, tokens, message.payload));
        match taken {
            Ok(Taken { call, credit, parts, callee }) => {
                let now_ms = self.clock.ms_at(now);
                if self.early_cancels.take(&key, now_ms) {
                    return;
                }
                let running = Arc::new(Running::new(now_ms));
                if !self.running.insert(key, Arc::clone(&running)) {
                    warn!(%from, %attempt, "request that came twice");
                    return;
                }
                // Whoever drains sees that something runs, or this sees that it drains.
                fence(Ordering::SeqCst);
                if let Err(error) = self.check_serving() {
                    self.running.remove(&key);
                    self.note_idle();
                    self.answer(key, reply_to, 0, Err(error));
                    return;
                }
                self.wake_ticker();
                let admitted =
                    Admitted { key, reply_to, running, credit, parts, callee, call, began: now };
                self.let_in(admitted);
            }
            Err(error) => self.answer(key, reply_to, 0, Err(error)),
        }
    }

    /// Whether there is room for one more call.
    fn admit(&self) -> Result<(), CallError> {
        self.check_serving()?;
        let running = self.running.len();
        if running >= self.config.in_flight_max {
            let message = format!("process {} serves {running} calls already", self.config.process);
            return Err(CallError::new(Status::Overloaded, message));
        }
        Ok(())
    }

    fn check_serving(&self) -> Result<(), CallError> {
        if self.is_draining.load(Ordering::Acquire) {
            let message = format!("process {} is stopping", self.config.process);
            return Err(CallError::new(Status::Draining, message));
        }
        Ok(())
    }

    /// The call that a message asks for.
    fn read_request(
        self: &Arc<Self>,
        key: AttemptKey,
        now: Instant,
        tokens: &str,
        message: Bytes,
    ) -> Result<Taken, CallError> {
        let bad =
            |why: &str| CallError::new(Status::BadFrame, format!("cannot read the request: {why}"));
        let callee =
            self.callees.get(tokens).ok_or_else(|| bad("its subject names no function"))?;
        let request = Request::decode(message).map_err(|error| bad(&error.to_string()))?;
        let number = StreamNumber::of_params;
        let read = |(index, head)| self.read(StreamKey::new(key, number(index)), head);
        let streams = request.heads.into_iter().enumerate().map(read).collect();
        let (params, parts) = match request.params {
            Value::Whole(params) => (params, None),
            Value::Parts(total) => (Bytes::new(), Some(total)),
        };
        let Callee { target, interface, function } = callee.as_ref().clone();
        let call = Call {
            id: request.call,
            target,
            source: request.source,
            link: LinkRef { name: request.link, revision: request.link_revision },
            interface,
            function,
            type_hash: request.type_hash,
            deadline: now + Duration::from_millis(request.budget_ms.into()),
            trace: request.trace,
            fence: request.fence,
            params,
            streams,
        };
        Ok(Taken { call, credit: request.credit.into(), parts, callee })
    }

    /// The caller gave up: its call ends, or never begins; nothing more is written to it.
    pub(super) fn on_cancel(&self, key: AttemptKey) {
        if let Some(running) = self.running.get(&key) {
            running.cancel();
        } else {
            self.early_cancels.remember(key, self.clock.now_ms());
        }
        self.end_outgoing(key, Written::ByCallee);
    }
}
