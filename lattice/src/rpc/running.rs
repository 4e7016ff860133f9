//! The calls that this process serves just now: each with its deadline, its cancellation and its panic caught.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use async_nats::Subject;
use futures::FutureExt;
use futures::task::AtomicWaker;
use tokio::time::timeout_at;
use tracing::error;

use super::departure::Departure;
use super::peer::Peer;
use super::shared::{AttemptKey, Shared, StreamKey};
use crate::call::{Call, CallError, Reply, Status};
use crate::frame::{self, Frame, Outcome, StreamNumber};
use crate::subject::Attempt;

/// Bytes of an error's message that travel; the rest is for the callee's log.
const MESSAGE_BYTES_MAX: usize = 4096;

/// A call being served.
pub(super) struct Running {
    /// When it came, in the clock of [`Shared::now_ms`].
    pub(super) since_ms: u64,
    /// When the caller last heard of it; 0: never yet.
    pub(super) beat_ms: AtomicU64,
    is_cancelled: AtomicBool,
    waker: AtomicWaker,
}

/// A request that was let in.
pub(super) struct Admitted {
    pub(super) peer: Arc<Peer>,
    pub(super) attempt: Attempt,
    pub(super) reply_to: Subject,
    pub(super) running: Arc<Running>,
    /// Bytes of each stream of the reply that the caller takes unasked.
    pub(super) credit: u64,
    /// Set where the parameters follow in parts: how many bytes.
    pub(super) parts: Option<u32>,
    pub(super) call: Call,
}

impl Running {
    pub(super) fn new(since_ms: u64) -> Self {
        let (is_cancelled, waker) = (AtomicBool::new(false), AtomicWaker::new());
        Self { since_ms, beat_ms: AtomicU64::new(0), is_cancelled, waker }
    }

    /// Drops the work on it as soon as its task runs.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.waker.wake();
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_cancelled.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

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
        let Admitted { peer, attempt, reply_to, running, credit, parts, call } = admitted;
        let key = (peer.id, attempt);
        let (target, interface, function) =
            (call.target.clone(), call.interface.clone(), call.function.clone());
        let name = || format!("{interface}.{function} of {target}");
        let in_flight = InFlight { shared: &self, key };
        let deadline = call.deadline;
        let work = AssertUnwindSafe(self.serve(key, parts, call)).catch_unwind();
        let done = running.unless_cancelled(timeout_at(deadline, work)).await;
        drop(in_flight);
        let result = match done {
            None => return,
            Some(Ok(Ok(result))) => result,
            Some(Ok(Err(panic))) => Err(panicked(&name(), panic.as_ref())),
            Some(Err(_)) => {
                Err(CallError::new(Status::Deadline, format!("{} did not end in time", name())))
            }
        };
        self.answer(key, reply_to, credit, result);
    }

    async fn serve(
        self: &Arc<Self>,
        (peer, attempt): AttemptKey,
        parts: Option<u32>,
        mut call: Call,
    ) -> Result<Reply, CallError> {
        let _gathering;
        if let Some(total) = parts {
            _gathering = Gathering::start(self, total)?;
            let key = StreamKey { peer, attempt, number: StreamNumber::PARAMS };
            call.params = self.gather(key, total).await.map_err(|error| {
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

    /// Tells whoever drains that something ended.
    pub(super) fn note_idle(&self) {
        if self.is_draining.load(Ordering::Acquire) {
            self.ended.notify_waiters();
        }
    }
}

/// Says what a panic said, to the log in full and to the caller in short.
fn panicked(name: &str, panic: &(dyn Any + Send)) -> CallError {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    error!(call = name, panic = said, "a call panicked");
    CallError::new(Status::Trapped, format!("{name} panicked"))
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
