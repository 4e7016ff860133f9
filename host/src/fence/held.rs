//! Calls that end when a guard does: whatever was under way when a host froze does not go on when it thaws.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use wicker_lattice::call::{
    ByteStream, Call, CallError, Invocation, Invoke, Reply, Status, StreamError,
};

use wicker_lattice::id::ProcessId;

use super::Guard;

/// What runs by a guard: what it answers counts only while that holds.
pub struct Fenced {
    inner: Arc<dyn Invoke>,
    guard: Guard,
}

/// The calls that a singleton makes: none leaves once its guard is over, and each carries the fencing token.
pub struct Sender {
    inner: Arc<dyn Invoke>,
    guard: Guard,
}

/// A call that is looked at before every step: is the guard still good?
struct Held<'a> {
    call: Invocation<'a>,
    guard: Guard,
    has_begun: bool,
}

/// Carries `call` on as long as `guard` holds. Nothing of it happens after that.
pub fn hold(call: Invocation<'_>, guard: Guard) -> Invocation<'_> {
    Box::pin(Held { call, guard, has_begun: false })
}

impl Fenced {
    /// `inner`, which runs by `guard`.
    #[must_use]
    pub fn new(inner: Arc<dyn Invoke>, guard: Guard) -> Self {
        Self { inner, guard }
    }
}

impl Invoke for Fenced {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        let answer = hold(self.inner.invoke(call), self.guard.clone());
        Box::pin(async move {
            let Reply { results, streams } = answer.await?;
            let streams = streams.into_iter().map(|stream| fenced(stream, self.guard.clone()));
            Ok(Reply { results, streams: streams.collect() })
        })
    }
}

impl Sender {
    /// Calls by `inner`, of what runs by `guard`.
    #[must_use]
    pub fn new(inner: Arc<dyn Invoke>, guard: Guard) -> Self {
        Self { inner, guard }
    }
}

impl Invoke for Sender {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        call.fence = Some(self.guard.token());
        hold(self.inner.invoke(call), self.guard.clone())
    }

    fn invoke_at(&self, process: ProcessId, mut call: Call) -> Invocation<'_> {
        call.fence = Some(self.guard.token());
        hold(self.inner.invoke_at(process, call), self.guard.clone())
    }
}

impl Future for Held<'_> {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.guard.holds() {
            self.has_begun = true;
            return self.call.as_mut().poll(cx);
        }
        let message = "the lease of its host has run out: a singleton, which may run elsewhere";
        let status = if self.has_begun { Status::Lost } else { Status::Unavailable };
        Poll::Ready(Err(CallError::new(status, message)))
    }
}

fn fenced(stream: ByteStream, guard: Guard) -> ByteStream {
    let over = || Err(StreamError::Aborted("the lease of its host has run out".into()));
    ByteStream::new(stream.map(move |chunk| if guard.holds() { chunk } else { over() }))
}

impl fmt::Debug for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fenced")
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}
