//! Calls that end when the right to make or answer them does: whatever was under way when a singleton's host froze does not
//! go on when it thaws.
//!
//! Who has the right is decided elsewhere: a host by its claim and lease, a provider in a process of its own by what its host lends it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt as _;

use crate::call::{ByteStream, Call, CallError, Invocation, Invoke, Reply, Status, StreamError};
use crate::id::ProcessId;

/// The right to run one singleton, for as long as it lasts.
pub trait Right: Clone + Send + Sync + Unpin + 'static {
    /// Whether nobody else may run it. Asked before each step, so it waits for nothing.
    fn holds(&self) -> bool;

    /// The fencing token: higher than that of any right before.
    fn token(&self) -> u64;
}

/// What runs by a right: what it answers counts only while that holds.
pub struct Fenced<R> {
    inner: Arc<dyn Invoke>,
    right: R,
}

/// The calls that a singleton makes: none leaves once its right is over, and each carries the fencing token.
pub struct Sender<R> {
    inner: Arc<dyn Invoke>,
    right: R,
}

/// A call that is looked at before every step: is the right still good?
struct Held<'a, R> {
    call: Invocation<'a>,
    right: R,
    has_begun: bool,
}

/// Carries `call` on as long as `right` holds. Nothing of it happens after that.
pub fn hold<R: Right>(call: Invocation<'_>, right: R) -> Invocation<'_> {
    Box::pin(Held { call, right, has_begun: false })
}

impl<R: Right> Fenced<R> {
    /// `inner`, which runs by `right`.
    #[must_use]
    pub fn new(inner: Arc<dyn Invoke>, right: R) -> Self {
        Self { inner, right }
    }
}

impl<R: Right> Invoke for Fenced<R> {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        let answer = hold(self.inner.invoke(call), self.right.clone());
        Box::pin(async move {
            let Reply { results, streams } = answer.await?;
            let streams = streams.into_iter().map(|stream| fenced(stream, self.right.clone()));
            Ok(Reply { results, streams: streams.collect() })
        })
    }
}

impl<R: Right> Sender<R> {
    /// Calls by `inner`, of what runs by `right`.
    #[must_use]
    pub fn new(inner: Arc<dyn Invoke>, right: R) -> Self {
        Self { inner, right }
    }
}

impl<R: Right> Invoke for Sender<R> {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        call.fence = Some(self.right.token());
        hold(self.inner.invoke(call), self.right.clone())
    }

    fn invoke_at(&self, process: ProcessId, mut call: Call) -> Invocation<'_> {
        call.fence = Some(self.right.token());
        hold(self.inner.invoke_at(process, call), self.right.clone())
    }
}

impl<R: Right> Future for Held<'_, R> {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.right.holds() {
            self.has_begun = true;
            return self.call.as_mut().poll(cx);
        }
        let message = "the lease of its host has run out: a singleton, which may run elsewhere";
        let status = if self.has_begun { Status::Lost } else { Status::Unavailable };
        Poll::Ready(Err(CallError::new(status, message)))
    }
}

fn fenced<R: Right>(stream: ByteStream, right: R) -> ByteStream {
    let over = || Err(StreamError::Aborted("the lease of its host has run out".into()));
    ByteStream::new(stream.map(move |chunk| if right.holds() { chunk } else { over() }))
}

impl<R> fmt::Debug for Fenced<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fenced")
    }
}

impl<R> fmt::Debug for Sender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}
