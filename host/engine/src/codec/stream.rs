//! `stream<u8>` between a guest and the lattice. Both ends are pulled, so the reader sets the pace.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream as _;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard, PollSender};
use wasmtime::component::{
    Destination, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{AsContextMut, StoreContextMut};
use wicker_lattice::call::{ByteStream, StreamError};

use crate::instance::Guest;

/// Chunks between a guest that writes and the reader outside.
const CHUNKS: usize = 4;

/// Bytes that one chunk takes from a guest, at most.
const CHUNK_BYTES_MAX: usize = 128 << 10;

/// Tells when a stream that a guest writes has ended: it was written to its end, or nobody reads it any more.
#[derive(Debug, Clone)]
pub(crate) struct Ending(CancellationToken);

impl Ending {
    /// Waits for the end. Cancel-safe.
    pub(crate) async fn reached(&self) {
        self.0.cancelled().await;
    }
}

/// Makes a stream that a guest writes readable outside. The guest must run for it to move.
///
/// A guest that ends before it has closed the stream breaks it off: the reader gets an error, not an end.
pub(crate) fn from_guest(
    mut store: impl AsContextMut<Data = Guest>,
    stream: StreamReader<u8>,
) -> wasmtime::Result<(ByteStream, Ending)> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let ending = CancellationToken::new();
    let is_broken = Arc::new(AtomicBool::new(false));
    let writer = Outgoing {
        sender: PollSender::new(sender),
        is_over: Arc::clone(&store.as_context_mut().data().is_over),
        is_broken: Arc::clone(&is_broken),
        _ended: ending.clone().drop_guard(),
    };
    stream.pipe(store, writer)?;
    let reader = Incoming { receiver, is_broken, _ended: ending.clone().drop_guard() };
    Ok((ByteStream::new(reader), Ending(ending)))
}

/// The guest's end of a stream that it writes.
struct Outgoing {
    sender: PollSender<Bytes>,
    is_over: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
    _ended: DropGuard,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // Dropped with its store, not because the guest closed it.
        if self.is_over.load(Ordering::Relaxed) {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

impl StreamConsumer<Guest> for Outgoing {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, Guest>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.sender.poll_reserve(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_closed)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        let mut source = source.as_direct(store);
        let ready = source.remaining();
        let len = ready.len().min(CHUNK_BYTES_MAX);
        let chunk = Bytes::copy_from_slice(ready.get(..len).unwrap_or_default());
        source.mark_read(len);
        if chunk.is_empty() {
            // A write of nothing asks whether the reader is ready. It is.
            self.sender.abort_send();
        } else if self.sender.send_item(chunk).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// The outer end of a stream that a guest writes.
struct Incoming {
    receiver: mpsc::Receiver<Bytes>,
    is_broken: Arc<AtomicBool>,
    _ended: DropGuard,
}

impl futures::Stream for Incoming {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.receiver.poll_recv(cx));
        if chunk.is_none() && self.is_broken.swap(false, Ordering::Relaxed) {
            let why = "the component that wrote it ended before it".to_owned();
            return Poll::Ready(Some(Err(StreamError::Lost(why))));
        }
        Poll::Ready(chunk.map(Ok))
    }
}

/// The guest's end of a stream that it reads.
pub(crate) struct Reading(pub(crate) ByteStream);

impl<T: 'static> StreamProducer<T> for Reading {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, T>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            // A read of nothing asks whether data is ready; the read that follows finds out.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let next = Pin::new(&mut self.0).poll_next(cx);
        if next.is_pending() && finish {
            return Poll::Ready(Ok(StreamResult::Cancelled));
        }
        Poll::Ready(match ready!(next) {
            Some(Ok(chunk)) => {
                destination.set_buffer(chunk);
                Ok(StreamResult::Completed)
            }
            // A stream of bytes has no way to say that it broke off; taking it for the end would lose data unseen.
            Some(Err(error)) => Err(wasmtime::Error::new(error)),
            None => Ok(StreamResult::Dropped),
        })
    }
}
