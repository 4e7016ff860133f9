//! Reads streams that other processes write: what a caller of this crate holds of an [`Incoming`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use super::incoming::{Incoming, Taken};
use super::keys::{AttemptKey, StreamKey};
use super::shared::Shared;
use crate::call::{ByteStream, StreamError};
use crate::frame::{Frame, Head, StreamNumber};

/// Reads one [`Incoming`]. Dropping it tells the writer to stop.
struct Reader {
    shared: Arc<Shared>,
    incoming: Arc<Incoming>,
    key: StreamKey,
    has_ended: bool,
}

impl Reader {
    fn tell(&self, frame: &Frame) {
        self.shared.tell_process(self.key.attempt(), frame);
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let streams = self.shared.incoming.len();
        let (taken, credit) = ready!(self.incoming.poll(streams, cx));
        if let Some(limit) = credit {
            self.tell(&Frame::Credit { stream: self.key.number, limit });
        }
        match taken {
            Taken::Chunk(bytes) => Poll::Ready(Some(Ok(bytes))),
            Taken::End(end) => {
                self.has_ended = true;
                self.shared.incoming.remove(&self.key);
                Poll::Ready(end.err().map(Err))
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.incoming.remove(&self.key);
        if self.incoming.credit().is_some() {
            self.tell(&Frame::Stop { stream: self.key.number });
        }
    }
}

impl Shared {
    /// The stream `key` as its reader sees it; `head` came with the value that refers to it.
    pub(super) fn read(self: &Arc<Self>, key: StreamKey, head: Head) -> ByteStream {
        if head.is_all {
            return ByteStream::from_bytes(head.bytes);
        }
        let make = || Some(Arc::new(Incoming::new(self.clock.now_ms())));
        let Some(incoming) = self.incoming.get_or_insert(key, make) else {
            return ByteStream::new(futures::stream::empty());
        };
        incoming.begin(head);
        self.wake_ticker();
        if !key.number.is_written_by_callee()
            && let Some(limit) = incoming.credit()
        {
            let frame = Frame::Credit { stream: key.number, limit };
            self.tell_process(key.attempt(), &frame);
        }
        ByteStream::new(Reader { shared: Arc::clone(self), incoming, key, has_ended: false })
    }

    /// A value that follows its frame in chunks, once all of it is here.
    ///
    /// # Errors
    /// It never became whole, or is not as long as it was announced.
    pub(super) async fn gather(
        self: &Arc<Self>,
        key: StreamKey,
        total: u32,
    ) -> Result<Bytes, StreamError> {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let mut chunks = self.read(key, Head::default());
        let mut value = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if value.len() + chunk.len() > total {
                return Err(StreamError::Lost("a value is longer than announced".to_owned()));
            }
            value.extend_from_slice(&chunk);
        }
        if value.len() < total {
            return Err(StreamError::Lost("a value is shorter than announced".to_owned()));
        }
        Ok(value.freeze())
    }

    /// Forgets streams of the callee that nobody will read: those below `count` and the results themselves.
    pub(super) fn forget_results(&self, key: AttemptKey) {
        if self.incoming.len() == 0 {
            return;
        }
        for number in (0x80..=u8::MAX).map(StreamNumber) {
            self.incoming.remove(&StreamKey::new(key, number));
        }
    }
}
