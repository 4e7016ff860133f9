//! Requests as they come: read, let in or refused at once, and handed to a task. Nothing here waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Message;
use tokio::time::Instant;
use tracing::warn;

use super::outgoing::Written;
use super::peer::Peer;
use super::running::{Admitted, Running};
use super::shared::{AttemptKey, Shared, StreamKey};
use crate::call::{Call, CallError, LinkRef, Status};
use crate::frame::{Request, StreamNumber, Value};
use crate::subject::{self, Attempt, Callee};

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
        let key = (from, attempt);
        let taken = self.admit().and_then(|()| self.read_request(&peer, attempt, tokens, &message));
        match taken {
            Ok(Some((call, credit, parts))) => {
                let running = Arc::new(Running::new(self.now_ms()));
                if !self.running.insert(key, Arc::clone(&running)) {
                    warn!(%from, %attempt, "request that came twice");
                    return;
                }
                self.wake_ticker();
                let admitted = Admitted { peer, attempt, reply_to, running, credit, parts, call };
                self.tasks.spawn_on(Arc::clone(self).run(admitted), &self.workers);
            }
            Ok(None) => {}
            Err(error) => self.answer(key, reply_to, 0, Err(error)),
        }
    }

    /// Whether there is room for one more call.
    fn admit(&self) -> Result<(), CallError> {
        if self.is_draining.load(Ordering::Acquire) {
            let message = format!("process {} is stopping", self.config.process);
            return Err(CallError::new(Status::Draining, message));
        }
        let running = self.running.len();
        if running >= self.config.in_flight_max {
            let message = format!("process {} serves {running} calls already", self.config.process);
            return Err(CallError::new(Status::Overloaded, message));
        }
        Ok(())
    }

    /// The call that a message asks for; `None` if its caller has given up already.
    fn read_request(
        self: &Arc<Self>,
        peer: &Peer,
        attempt: Attempt,
        tokens: &str,
        message: &Message,
    ) -> Result<Option<(Call, u64, Option<u32>)>, CallError> {
        let bad =
            |why: &str| CallError::new(Status::BadFrame, format!("cannot read the request: {why}"));
        let callee = self.callee(tokens).ok_or_else(|| bad("its subject names no function"))?;
        let request =
            Request::decode(message.payload.clone()).map_err(|error| bad(&error.to_string()))?;
        if self.early_cancels.take(&(peer.id, attempt), self.now_ms()) {
            return Ok(None);
        }
        let source = request.source.parse().map_err(|_| bad("its source is no object's id"))?;
        let number = StreamNumber::of_params;
        let read = |(index, head)| {
            self.read(StreamKey { peer: peer.id, attempt, number: number(index) }, head)
        };
        let streams = request.heads.into_iter().enumerate().map(read).collect();
        let (params, parts) = match request.params {
            Value::Whole(params) => (params, None),
            Value::Parts(total) => (bytes::Bytes::new(), Some(total)),
        };
        let Callee { target, interface, function } = callee.as_ref().clone();
        let call = Call {
            id: request.call,
            target,
            source,
            link: LinkRef { name: request.link.into(), revision: request.link_revision },
            interface,
            function,
            type_hash: request.type_hash,
            deadline: Instant::now() + Duration::from_millis(request.budget_ms.into()),
            trace: request.trace,
            params,
            streams,
        };
        Ok(Some((call, request.credit.into(), parts)))
    }

    /// The caller gave up: its call ends, or never begins; nothing more is written to it.
    pub(super) fn on_cancel(&self, key: AttemptKey) {
        if let Some(running) = self.running.get(&key) {
            running.cancel();
        } else {
            self.early_cancels.remember(key, self.now_ms());
        }
        self.end_outgoing(key, Written::ByCallee);
    }
}
