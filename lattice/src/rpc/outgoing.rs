//! The writing end of a stream: a task that pulls chunks from their source and publishes them as far as the reader's
//! credit goes.
//!
//! The source is asked only when there is credit, so memory does not grow with the stream. A reader that stops, falls
//! silent or is cancelled ends the task, which drops the source: that is how a writer learns of it.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use async_nats::Subject;
use bytes::{Bytes, BytesMut};
use futures::task::AtomicWaker;
use futures::{StreamExt, pin_mut};

use super::peer::Peer;
use super::shared::{Shared, StreamKey};
use crate::call::{ByteStream, StreamError};
use crate::frame::{Frame, Head};
use crate::nats::message;

/// What a chunk's frame has besides its bytes, and more.
const CHUNK_OVERHEAD: usize = 64;

/// Bytes of one chunk, at most: large enough to be cheap, small enough that two streams share a connection well.
pub(super) const CHUNK_BYTES_MAX: usize = 128 << 10;

pub(super) struct Outgoing {
    /// When its reader was last heard of, in the clock of [`Shared::now_ms`].
    pub(super) heard_ms: AtomicU64,
    /// When the last pulse was sent.
    pub(super) said_ms: AtomicU64,
    limit: AtomicU64,
    /// Of the next chunk.
    sequence: AtomicU32,
    ending: AtomicU8,
    waker: AtomicWaker,
}

/// Why a stream is not written to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ending {
    /// The reader wants no more.
    Stopped = 1,
    /// The reader is silent.
    Lost = 2,
}

/// Which end of a call writes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    ByCaller,
    ByCallee,
}

/// What comes after a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    More,
    End,
}

impl Outgoing {
    pub(super) fn new(limit: u64, now_ms: u64) -> Self {
        Self {
            heard_ms: AtomicU64::new(now_ms),
            said_ms: AtomicU64::new(now_ms),
            limit: AtomicU64::new(limit),
            sequence: AtomicU32::new(0),
            ending: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        }
    }

    /// The reader takes bytes up to this position.
    pub(super) fn credit(&self, limit: u64) {
        if self.limit.fetch_max(limit, Ordering::AcqRel) < limit {
            self.waker.wake();
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.store(ending as u8, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Of the next chunk: what a pulse says.
    pub(super) fn sequence(&self) -> u32 {
        self.sequence.load(Ordering::Acquire)
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) != 0
    }

    /// Waits for `work`; `None` if the stream is to end first.
    async fn unless_ending<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        pin_mut!(work);
        poll_fn(|cx| {
            if self.is_ending() {
                return Poll::Ready(None);
            }
            self.waker.register(cx.waker());
            if self.is_ending() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Waits until more than `position` may be sent, and says up to where.
    async fn room(&self, position: u64) -> Option<u64> {
        // The waker that `unless_ending` registers is the one that `credit` wakes.
        let room = poll_fn(|_| {
            let limit = self.limit.load(Ordering::Acquire);
            if limit > position { Poll::Ready(limit - position) } else { Poll::Pending }
        });
        self.unless_ending(room).await
    }
}

/// What a stream gives without waiting.
struct Gathered {
    bytes: Bytes,
    end: Option<Result<(), StreamError>>,
}

/// Takes what `source` has ready, up to about `max` bytes. Small chunks are joined; a large one is never copied.
fn gather(source: &mut ByteStream, max: usize, cx: &mut Context<'_>) -> Gathered {
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
    rest: Option<Rest>,
}

struct Rest {
    /// Taken from the source already, but not part of the head.
    taken: Bytes,
    end: Option<Result<(), StreamError>>,
    source: ByteStream,
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

impl Shared {
    /// Registers the writing end of `begun`, so that credit for it is understood. `credit`: what the reader takes
    /// before it says more. The stream moves once [`Writer::run`] is polled; dropped, it never does.
    pub(super) fn write(
        self: &Arc<Self>,
        key: StreamKey,
        begun: Begun,
        credit: u64,
    ) -> Option<Writer> {
        let rest = begun.rest?;
        let position = begun.head.bytes.len() as u64;
        let outgoing = Arc::new(Outgoing::new(position + credit, self.now_ms()));
        self.outgoing.insert(key, Arc::clone(&outgoing));
        self.wake_ticker();
        let peer = self.peer(key.peer);
        Some(Writer { shared: Arc::clone(self), peer, outgoing, key, position, rest })
    }

    /// Stops writing what `key`'s callee or caller would have read: that attempt is over.
    pub(super) fn end_outgoing(&self, key: super::shared::AttemptKey, written: Written) {
        if self.outgoing.len() == 0 {
            return;
        }
        for (stream, outgoing) in self.outgoing.to_vec() {
            let is_same = (stream.peer, stream.attempt) == key;
            if is_same && stream.number.is_written_by_callee() == (written == Written::ByCallee) {
                outgoing.end(Ending::Stopped);
            }
        }
    }
}

/// One stream being written.
pub(super) struct Writer {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    outgoing: Arc<Outgoing>,
    key: StreamKey,
    position: u64,
    rest: Rest,
}

impl Writer {
    /// Writes until the source ends, or nobody reads any more.
    pub(super) async fn run(mut self) {
        while self.step().await.is_some() {}
    }

    /// Moves one chunk on; `None` when there is nothing more to do.
    async fn step(&mut self) -> Option<()> {
        let room = self.outgoing.room(self.position).await?;
        let payload_max = self.shared.nats.bulk().client.max_payload();
        let chunk_max = CHUNK_BYTES_MAX.min(payload_max.saturating_sub(CHUNK_OVERHEAD).max(1));
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(chunk_max);
        if self.rest.taken.is_empty() && self.rest.end.is_none() {
            self.pull().await?;
        }
        let bytes = self.rest.taken.split_to(self.rest.taken.len().min(room));
        let is_last = self.rest.taken.is_empty();
        match (&self.rest.end, is_last) {
            (Some(Ok(())), true) => {
                self.chunk(bytes, Then::End).await;
                None
            }
            (Some(Err(error)), true) => {
                let message = error.to_string();
                self.chunk(bytes, Then::More).await?;
                let sequence = self.outgoing.sequence();
                self.publish(Frame::Abort { stream: self.key.number, sequence, message }).await;
                None
            }
            _ => self.chunk(bytes, Then::More).await,
        }
    }

    /// Waits for the source.
    async fn pull(&mut self) -> Option<()> {
        let source = &mut self.rest.source;
        let pulled = poll_fn(|cx| {
            let gathered = gather(source, CHUNK_BYTES_MAX, cx);
            let has_some = !gathered.bytes.is_empty() || gathered.end.is_some();
            if has_some { Poll::Ready(gathered) } else { Poll::Pending }
        });
        let Gathered { bytes, end } = self.outgoing.unless_ending(pulled).await?;
        self.rest.taken = bytes;
        self.rest.end = end;
        Some(())
    }

    async fn chunk(&mut self, bytes: Bytes, then: Then) -> Option<()> {
        let is_end = then == Then::End;
        if bytes.is_empty() && !is_end {
            return Some(());
        }
        let sequence = self.outgoing.sequence();
        self.position += bytes.len() as u64;
        self.publish(Frame::Chunk { stream: self.key.number, is_end, sequence, bytes }).await?;
        self.outgoing.sequence.store(sequence.wrapping_add(1), Ordering::Release);
        Some(())
    }

    /// Publishes on the bulk connection, which takes no more than it can carry.
    async fn publish(&mut self, frame: Frame) -> Option<()> {
        let subject = Subject::from(self.peer.chunk_subject(self.key.attempt));
        let sending = message::publish(&self.shared.nats.bulk().client, subject, frame.encode());
        self.outgoing.unless_ending(sending).await?.then_some(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.outgoing.remove(&self.key);
        self.shared.note_idle();
    }
}
