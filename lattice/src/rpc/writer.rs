//! Writes a stream: a task that pulls chunks from their source and publishes them as far as the reader's credit goes.
//!
//! The source is asked only when there is credit, so memory does not grow with the stream. A reader that stops, falls
//! silent or is cancelled ends the task, which drops the source: that is how a writer learns of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_nats::Subject;
use bytes::Bytes;

use super::begun::{Begun, Gathered, Rest, gather};
use super::incoming::Then;
use super::keys::{AttemptKey, StreamKey};
use super::outgoing::{Ending, Outgoing};
use super::peer::Peer;
use super::shared::Shared;
use crate::frame::Frame;
use crate::nats::message;

/// What a chunk's frame has besides its bytes, and more.
const CHUNK_OVERHEAD: usize = 64;

/// Bytes of one chunk, at most: large enough to be cheap, small enough that two streams share a connection well.
const CHUNK_BYTES_MAX: usize = 128 << 10;

/// Which end of a call writes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    ByCaller,
    ByCallee,
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
        let outgoing = Arc::new(Outgoing::new(position + credit, self.clock.now_ms()));
        self.outgoing.insert(key, Arc::clone(&outgoing));
        self.wake_ticker();
        let peer = self.peer(key.peer);
        Some(Writer { shared: Arc::clone(self), peer, outgoing, key, position, rest })
    }

    /// Stops writing what `key`'s callee or caller would have read: that attempt is over.
    pub(super) fn end_outgoing(&self, key: AttemptKey, written: Written) {
        if self.outgoing.len() == 0 {
            return;
        }
        for (stream, outgoing) in self.outgoing.to_vec() {
            let is_same = stream.attempt() == key;
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
        self.outgoing.advance();
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
