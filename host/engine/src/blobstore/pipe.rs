//! Bytes from a guest's `output-stream` to the call that carries them away. Bounded: the guest waits for its reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wicker_lattice::call::{self, ByteStream};

use super::HELD_BYTES_MAX;

/// What waits for a reader that is there.
const PIPE_BYTES: usize = 256 << 10;

/// Bytes of one chunk, and of one write, at most.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// The middle of it, which both ends share. Clones are the same pipe.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// In pieces: one that grew would be copied again and again.
    chunks: VecDeque<BytesMut>,
    /// Bytes in them.
    len: usize,
    /// Somebody takes them.
    is_read: bool,
    /// Whoever took them has gone.
    is_left: bool,
    /// The guest has dropped its stream.
    is_closed: bool,
    /// What follows the bytes: an end, or the reason why there is none.
    end: Option<Result<(), String>>,
    /// Why what was written is lost.
    failure: Option<String>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// The guest's end.
    pub(super) fn writer(&self) -> Body {
        Body(self.clone())
    }

    /// The other end. There is one.
    pub(super) fn reader(&self) -> ByteStream {
        self.change(|state| state.is_read = true);
        ByteStream::new(Taking(self.clone()))
    }

    /// Whether the guest has dropped its stream: nothing comes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Says what follows the bytes, once.
    pub(super) fn end(&self, end: Result<(), &str>) {
        self.change(|state| {
            state.end.get_or_insert_with(|| end.map_err(str::to_owned));
        });
    }

    /// Tells the guest, when it writes next, why what it writes is lost.
    pub(super) fn fail(&self, why: &str) {
        self.change(|state| state.failure = Some(why.to_owned()));
    }
}

impl State {
    fn room(&self) -> usize {
        let limit = if self.is_read { PIPE_BYTES } else { HELD_BYTES_MAX };
        limit.saturating_sub(self.len)
    }

    /// Small writes become chunks of some size.
    fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        match self.chunks.back_mut() {
            Some(last) if last.len() + bytes.len() <= CHUNK_BYTES_MAX => {
                last.extend_from_slice(bytes)
            }
            _ => self.chunks.push_back(BytesMut::from(bytes)),
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        self.len -= chunk.len();
        Some(chunk.freeze())
    }

    /// How much may be written.
    fn permit(&self) -> StreamResult<usize> {
        if let Some(why) = &self.failure {
            return Err(StreamError::LastOperationFailed(wasmtime::format_err!("{why}")));
        }
        if self.is_left || self.end.is_some() {
            return Err(StreamError::Closed);
        }
        match self.room() {
            0 if !self.is_read => Err(StreamError::LastOperationFailed(wasmtime::format_err!(
                "{} MiB wait for a place to go: larger values need `write-data` before they are written",
                HELD_BYTES_MAX >> 20
            ))),
            room => Ok(room.min(CHUNK_BYTES_MAX)),
        }
    }
}

/// The guest's end.
pub(super) struct Body(Pipe);

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = self.0.lock();
        if bytes.len() > state.permit()? {
            return Err(StreamError::trap("more was written than check-write allows"));
        }
        state.put(&bytes);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// What is in the pipe is on its way.
    fn flush(&mut self) -> StreamResult<()> {
        self.0.lock().permit().map(drop)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.lock().permit()
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock();
            match state.permit() {
                Ok(0) => {
                    state.writer = Some(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.change(|state| state.is_closed = true);
    }
}

/// The other end.
struct Taking(Pipe);

impl Stream for Taking {
    type Item = Result<Bytes, call::StreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        if let Some(chunk) = state.take() {
            let writer = state.writer.take();
            drop(state);
            writer.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(Ok(chunk)));
        }
        match &mut state.end {
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Ok(())) => Poll::Ready(None),
            Some(end) => {
                let why = std::mem::replace(end, Ok(())).err().unwrap_or_default();
                Poll::Ready(Some(Err(call::StreamError::Aborted(why))))
            }
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.0.change(|state| state.is_left = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _};

    #[tokio::test]
    async fn guest_waits_for_its_reader() {
        let (pipe, chunk) = (Pipe::default(), Bytes::from(vec![7; CHUNK_BYTES_MAX]));
        let (mut writer, mut reader) = (pipe.writer(), pipe.reader());
        for _ in 0..PIPE_BYTES / CHUNK_BYTES_MAX {
            writer.write(chunk.clone()).unwrap();
        }
        assert_eq!(writer.check_write().unwrap(), 0);
        assert!(writer.ready().now_or_never().is_none());
        assert_eq!(reader.next().await.unwrap().unwrap(), chunk);
        writer.ready().await;
        assert_eq!(writer.check_write().unwrap(), CHUNK_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_is_written_before_anybody_reads_is_held_up_to_a_bound() {
        let pipe = Pipe::default();
        let mut writer = pipe.writer();
        let mut held = 0;
        while let Ok(room) = writer.check_write() {
            writer.write(Bytes::from(vec![0; room])).unwrap();
            held += room;
        }
        assert_eq!(held, HELD_BYTES_MAX);
        drop(writer);
        assert!(pipe.is_closed());
        pipe.end(Ok(()));
        let read = pipe.reader().fold(0, |sum, chunk| async move { sum + chunk.unwrap().len() });
        assert_eq!(read.await, HELD_BYTES_MAX);
    }

    #[tokio::test]
    async fn reader_that_leaves_closes_the_stream_and_a_writer_that_leaves_breaks_it_off() {
        let pipe = Pipe::default();
        let (mut writer, reader) = (pipe.writer(), pipe.reader());
        drop(reader);
        writer.ready().await;
        assert!(matches!(writer.check_write(), Err(StreamError::Closed)));

        let pipe = Pipe::default();
        let (mut writer, mut reader) = (pipe.writer(), pipe.reader());
        writer.write(Bytes::from_static(b"beginning")).unwrap();
        pipe.end(Err("dropped"));
        pipe.end(Ok(()));
        assert_eq!(reader.next().await.unwrap().unwrap(), "beginning");
        assert!(reader.next().await.unwrap().is_err());
        assert!(reader.next().await.is_none());
    }
}
