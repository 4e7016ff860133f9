//! What one connection is doing, written by the connection itself at the price of a few plain stores, and read by the
//! [roster](crate::roster), which decides whether the client is too slow.
//!
//! No request touches a timer or a lock for this.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counters of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Bytes that came in. Written by the connection's task only.
    pub(crate) read: AtomicU64,
    /// Bytes that went out. Written by the connection's task only.
    pub(crate) written: AtomicU64,
    /// Bytes wait for the client to take them.
    pub(crate) is_write_blocked: AtomicBool,
    /// Bodies that a target waits for.
    pub(crate) bodies_wanted: AtomicU32,
    /// Requests whose answer is not finished.
    pub(crate) in_flight: AtomicU32,
    /// Requests that ever came.
    pub(crate) requests: AtomicU64,
    /// `read` when the last request ended: more than that is the next request's head.
    pub(crate) read_at_end: AtomicU64,
    /// Frames flow without requests, so bytes do not mean that one is on its way.
    pub(crate) is_http2: AtomicBool,
    order: AtomicU8,
    should_rest: AtomicBool,
    waker: AtomicWaker,
}

/// What the roster tells a connection to do. Only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    Serve,
    /// Answer what comes, and say with each answer that it was the last.
    Drain,
    /// Finish what is in flight and close.
    Close,
    /// Drop everything.
    Cut,
}

impl Activity {
    pub(crate) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Serve,
            1 => Order::Drain,
            2 => Order::Close,
            _ => Order::Cut,
        }
    }

    /// Tells the connection what to do, and wakes it.
    pub(crate) fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Asks the connection to give up what it does not need until the next request comes.
    pub(crate) fn ask_to_rest(&self) {
        self.should_rest.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it was asked to rest, and can: nothing is in flight, neither in nor out. Asked once, answered once.
    pub(crate) fn takes_rest(&self) -> bool {
        self.should_rest.load(Relaxed)
            && self.should_rest.swap(false, Ordering::Acquire)
            && self.in_flight.load(Relaxed) == 0
            && !self.is_write_blocked.load(Relaxed)
            && self.read.load(Relaxed) == self.read_at_end.load(Relaxed)
    }

    /// Whether it was asked and has not answered yet.
    #[cfg(test)]
    pub(crate) fn is_asked_to_rest(&self) -> bool {
        self.should_rest.load(Relaxed)
    }

    /// The order, and a wake-up when it changes.
    pub(crate) fn poll_order(&self, cx: &Context<'_>) -> Order {
        self.waker.register(cx.waker());
        self.order()
    }
}

/// Counts one request as in flight, from its head to the end of its answer.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl InFlight {
    pub(crate) fn start(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Relaxed);
        activity.requests.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.read_at_end.store(self.0.read.load(Relaxed), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(crate) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity }
    }
}

/// One writer only, so no read-modify-write is needed.
fn add(counter: &AtomicU64, n: usize) {
    counter.store(counter.load(Relaxed).wrapping_add(n as u64), Relaxed);
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        add(&self.activity.read, buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S> Counted<S> {
    fn count(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Pending => self.activity.is_write_blocked.store(true, Relaxed),
            Poll::Ready(Ok(n)) => {
                add(&self.activity.written, *n);
                self.activity.is_write_blocked.store(false, Relaxed);
            }
            Poll::Ready(Err(_)) => {}
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.count(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.count(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
