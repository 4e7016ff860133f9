//! A stream on its way out whose beginning travels with the value that refers to it.

use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::call::{ByteStream, StreamError};
use crate::frame::Head;

/// What a stream gives without waiting.
pub(super) struct Gathered {
    pub(super) bytes: Bytes,
    pub(super) end: Option<Result<(), StreamError>>,
}

/// Takes what `source` has ready, up to about `max` bytes. Small chunks are joined; a large one is never copied.
pub(super) fn gather(source: &mut ByteStream, max: usize, cx: &mut Context<'_>) -> Gathered {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut end = None;
    while first.len().max(joined.len()) < max {
        match source.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(bytes))) if first.is_empty() => first = bytes,
            Poll::Ready(Some(Ok(bytes))) => {
                if joined.is_empty() {
                    joined.extend_from_slice(&first);
                }
                joined.extend_from_slice(&bytes);
            }
            Poll::Ready(Some(Err(error))) => end = Some(Err(error)),
            Poll::Ready(None) => end = Some(Ok(())),
            Poll::Pending => break,
        }
        if end.is_some() {
            break;
        }
    }
    let bytes = if joined.is_empty() { first } else { joined.freeze() };
    Gathered { bytes, end }
}

/// A stream whose beginning travels with the value that refers to it.
pub(super) struct Begun {
    pub(super) head: Head,
    /// What is left, if anything.
    pub(super) rest: Option<Rest>,
}

pub(super) struct Rest {
    /// Taken from the source already, but not part of the head.
    pub(super) taken: Bytes,
    pub(super) end: Option<Result<(), StreamError>>,
    pub(super) source: ByteStream,
}

impl Begun {
    /// Takes up to `room` bytes that are there without waiting.
    pub(super) fn new(mut source: ByteStream, room: usize) -> Self {
        let mut cx = Context::from_waker(Waker::noop());
        let Gathered { mut bytes, end } = gather(&mut source, room.max(1), &mut cx);
        let head = bytes.split_to(bytes.len().min(room));
        let is_all = bytes.is_empty() && end == Some(Ok(()));
        let rest = (!is_all).then_some(Rest { taken: bytes, end, source });
        Self { head: Head { bytes: head, is_all }, rest }
    }

    /// A value that follows its frame: nothing of it travels in the frame.
    pub(super) fn value(value: Bytes) -> Self {
        let source = ByteStream::new(futures::stream::empty());
        let rest = Rest { taken: value, end: Some(Ok(())), source };
        Self { head: Head::default(), rest: Some(rest) }
    }
}
