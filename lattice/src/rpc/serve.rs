//! Serves a call that was let in: runs it, with its panic caught, and answers it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::Subject;
use futures::FutureExt;
use tracing::error;

use super::admitted::Admitted;
use super::departure::Departure;
use super::keys::{AttemptKey, StreamKey};
use super::patience::Alarm;
use super::running::Done;
use super::shared::Shared;
use crate::call::{Call, CallError, Reply, Status};
use crate::frame::{self, Frame, Outcome, StreamNumber};
use crate::subject::Callee;

/// Bytes of an error's message that travel; the rest is for the callee's log.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Takes the call off the table, however its task ends.
struct InFlight<'a> {
    shared: &'a Shared,
    key: AttemptKey,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.running.remove(&self.key);
        self.shared.note_idle();
    }
}

impl Shared {
    /// Serves one call and answers it. Ends without a word where the caller gave up.
    pub(super) async fn run(self: Arc<Self>, admitted: Admitted) {
        let Admitted { key, reply_to, running, credit, parts, callee, call, began } = admitted;
        let in_flight = InFlight { shared: &self, key };
        let alarm = Alarm::new(call.deadline, began);
        let work = AssertUnwindSafe(self.serve(key, parts, call)).catch_unwind();
        let done = running.work(work, alarm).await;
        drop(in_flight);
        let result = match done {
            Done::Cancelled => return,
            Done::With(Ok(result)) => result,
            Done::With(Err(panic)) => Err(panicked(&callee, panic.as_ref())),
            Done::Late => {
                Err(CallError::new(Status::Deadline, format!("{callee} did not end in time")))
            }
        };
        self.answer(key, reply_to, credit, result);
    }

    async fn serve(
        self: &Arc<Self>,
        key: AttemptKey,
        parts: Option<u32>,
        mut call: Call,
    ) -> Result<Reply, CallError> {
        let _gathering;
        if let Some(total) = parts {
            _gathering = Gathering::start(self, total)?;
            let stream = StreamKey::new(key, StreamNumber::PARAMS);
            call.params = self.gather(stream, total).await.map_err(|error| {
                CallError::new(
                    Status::Unavailable,
                    format!("the parameters did not arrive: {error}"),
                )
            })?;
        }
        self.serve.invoke(call).await
    }

    /// Sends what came of a call, and whatever follows its results.
    pub(super) fn answer(
        self: &Arc<Self>,
        key: AttemptKey,
        reply_to: Subject,
        credit: u64,
        result: Result<Reply, CallError>,
    ) {
        let departure = result.and_then(|reply| {
            Departure::new(reply.results, reply.streams, self.whole_bytes_max())
                .map_err(|why| CallError::new(Status::Unsupported, why))
        });
        let (outcome, writers) = match departure {
            Ok(departure) => {
                let (heads, results, parting) =
                    departure.into_parts(StreamNumber::of_results, StreamNumber::RESULTS);
                (Outcome::Results { heads, results }, parting.start(self, key, credit))
            }
            Err(CallError { status, mut message }) => {
                message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
                (Outcome::Failed { status, message }, Vec::new())
            }
        };
        let reply = Frame::Reply(frame::Reply { load: self.load(), outcome });
        self.send(self.nats.calls(), reply_to, reply.encode());
        for writer in writers {
            self.tasks.spawn_on(writer.run(), &self.workers);
        }
    }
}

/// Says what a panic said, to the log in full and to the caller in short.
fn panicked(callee: &Callee, panic: &(dyn Any + Send)) -> CallError {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    error!(%callee, panic = said, "a call panicked");
    CallError::new(Status::Trapped, format!("{callee} panicked"))
}

/// Counts the bytes of parameters that arrive in parts, so that many large calls cannot exhaust memory.
struct Gathering<'a> {
    shared: &'a Shared,
    bytes: usize,
}

impl<'a> Gathering<'a> {
    fn start(shared: &'a Shared, total: u32) -> Result<Self, CallError> {
        let bytes = usize::try_from(total).unwrap_or(usize::MAX);
        let before = shared.gathering.fetch_add(bytes, Ordering::Relaxed);
        let gathering = Self { shared, bytes };
        if before + bytes > shared.config.gathering_bytes_max {
            let message = format!("{before} bytes of large parameters are arriving already");
            return Err(CallError::new(Status::Overloaded, message));
        }
        Ok(gathering)
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.shared.gathering.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
