//! A `stream<u8>` inside a value that is written or read whole.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::{Decode, DecodeError, Encode, Reader, Writer};
use crate::call::{ByteStream, StreamError};

/// A `stream<u8>` as a parameter, a result or a part of one: bindings use it where WIT says so.
///
/// It travels beside the value ([`Writer::attach`], [`Reader::with_streams`]), at the pace of its reader. Encoding takes
/// the stream out; what is encoded a second time is an empty one.
pub struct Stream(Mutex<Option<ByteStream>>);

impl Stream {
    /// A stream of these chunks.
    pub fn new(
        chunks: impl futures::Stream<Item = Result<Bytes, StreamError>> + Send + 'static,
    ) -> Self {
        ByteStream::new(chunks).into()
    }

    /// A stream of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        ByteStream::from_bytes(bytes).into()
    }

    /// The chunks, to be read.
    #[must_use]
    pub fn into_chunks(self) -> ByteStream {
        self.take()
    }

    fn take(&self) -> ByteStream {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| ByteStream::from_bytes(Bytes::new()))
    }
}

impl From<ByteStream> for Stream {
    fn from(chunks: ByteStream) -> Self {
        Self(Mutex::new(Some(chunks)))
    }
}

impl Encode for Stream {
    fn encode(&self, writer: &mut Writer) {
        writer.attach(self.take());
    }
}

impl Decode for Stream {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.attached().map(Self::from)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}
