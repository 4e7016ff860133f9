//! A call that may have to be sent more than once.
//!
//! Bytes are shared between attempts. A stream can be read only once, so an attempt gets a view of it that remembers
//! what was taken: up to [`REPLAY_BYTES_MAX`] a later attempt begins at the start again; past that there is none.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use wicker_lattice::call::{ByteStream, Call, StreamError};

/// What is remembered of one stream.
const REPLAY_BYTES_MAX: usize = 64 << 10;

/// A call, ready for any number of attempts.
pub(super) struct Replay {
    call: Call,
    streams: Vec<Arc<Mutex<Remembered>>>,
}

struct Remembered {
    source: ByteStream,
    taken: Vec<Result<Bytes, StreamError>>,
    taken_bytes: usize,
    has_ended: bool,
    is_too_long: bool,
}

impl Replay {
    pub(super) fn new(mut call: Call) -> Self {
        let streams = std::mem::take(&mut call.streams).into_iter().map(Remembered::new).collect();
        Self { call, streams }
    }

    /// The call as it was.
    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// The call once more, its streams from the start; `None` if more was taken of them than is remembered.
    pub(super) fn attempt(&self) -> Option<Call> {
        let streams = self.streams.iter().map(View::open).collect::<Option<Vec<_>>>()?;
        Some(self.call.again(streams))
    }
}

impl Remembered {
    fn new(source: ByteStream) -> Arc<Mutex<Self>> {
        let (taken, taken_bytes) = (Vec::new(), 0);
        Arc::new(Mutex::new(Self {
            source,
            taken,
            taken_bytes,
            has_ended: false,
            is_too_long: false,
        }))
    }

    fn poll(
        &mut self,
        at: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Some(chunk) = self.taken.get(at) {
            return Poll::Ready(Some(chunk.clone()));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        let chunk = std::task::ready!(Pin::new(&mut self.source).poll_next(cx));
        match &chunk {
            Some(chunk) => self.remember(chunk),
            None => self.has_ended = true,
        }
        Poll::Ready(chunk)
    }

    fn remember(&mut self, chunk: &Result<Bytes, StreamError>) {
        if self.is_too_long {
            return;
        }
        self.taken_bytes += chunk.as_ref().map_or(0, Bytes::len);
        if self.taken_bytes > REPLAY_BYTES_MAX {
            (self.is_too_long, self.taken) = (true, Vec::new());
        } else {
            self.taken.push(chunk.clone());
        }
    }
}

/// One attempt's view of a stream.
struct View {
    stream: Arc<Mutex<Remembered>>,
    at: usize,
}

impl View {
    fn open(stream: &Arc<Mutex<Remembered>>) -> Option<ByteStream> {
        let is_too_long = stream.lock().unwrap_or_else(PoisonError::into_inner).is_too_long;
        (!is_too_long).then(|| ByteStream::new(Self { stream: Arc::clone(stream), at: 0 }))
    }
}

impl Stream for View {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = Arc::clone(&self.stream);
        let chunk = stream.lock().unwrap_or_else(PoisonError::into_inner).poll(self.at, cx);
        if let Poll::Ready(Some(_)) = chunk {
            self.at += 1;
        }
        chunk
    }
}
