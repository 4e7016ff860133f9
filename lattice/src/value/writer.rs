//! Writes values. Knows the primitives; [`Encode`](super::Encode) puts them together.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Stream;
use crate::call::ByteStream;
use crate::id::ProcessId;

/// Bytes to begin with: most parameters fit, so most calls allocate once.
const CAPACITY: usize = 64;

/// Collects one encoded value. Writing cannot fail; whoever carries the value checks its length.
#[derive(Debug, Default)]
pub struct Writer {
    out: BytesMut,
    streams: u32,
    /// Not as they are, so that a writer can be shared between threads.
    attached: Vec<Stream>,
    /// The owners of the pinned handles in it: mostly none, at most two are told apart.
    pins: Option<Pins>,
}

/// Who keeps the pinned handles of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// One process keeps them all: the value goes there.
    One(ProcessId),
    /// Several do, so nobody could serve it.
    Several,
}

impl Writer {
    /// An empty value, with room for a small one.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// An empty value, with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    /// Writes one byte: a `u8`, an `s8`, a `bool`, the tag of an `option` or `result`.
    #[inline]
    pub fn put_u8(&mut self, byte: u8) {
        self.out.put_u8(byte);
    }

    /// Writes bytes as they are, without a length.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// Writes a `list<u8>`: its length, then its bytes.
    #[inline]
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.out.put_slice(bytes);
    }

    /// Writes a `string`.
    #[inline]
    pub fn put_str(&mut self, text: &str) {
        self.put_bytes(text.as_bytes());
    }

    /// Writes a `char`.
    pub fn put_char(&mut self, c: char) {
        self.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Writes an `f32`; every NaN becomes the canonical one.
    pub fn put_f32(&mut self, value: f32) {
        let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
        self.out.put_u32_le(bits);
    }

    /// Writes an `f64`; every NaN becomes the canonical one.
    pub fn put_f64(&mut self, value: f64) {
        let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
        self.out.put_u64_le(bits);
    }

    /// Writes the length of a list or string that follows.
    #[inline]
    pub fn put_len(&mut self, len: usize) {
        self.leb_u(len as u64);
    }

    /// Writes an unsigned integer, or the index of a case, as LEB128.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are what is meant")]
    pub fn leb_u(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    /// Writes a signed integer as LEB128.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low seven bits are what is meant"
    )]
    pub fn leb_s(&mut self, mut value: i64) {
        while !(-0x40..0x40).contains(&value) {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8 & 0x7f);
    }

    /// Writes a reference to the next stream of the call and returns its index, under which the caller of this
    /// function must put the stream into [`Call::streams`](crate::call::Call::streams).
    pub fn put_stream(&mut self) -> u32 {
        let index = self.streams;
        self.streams += 1;
        self.leb_u(index.into());
        index
    }

    /// Writes a reference to `stream`, which [`Writer::finish_with_streams`] gives back. Not to be mixed with
    /// [`Writer::put_stream`] in one value.
    pub fn attach(&mut self, stream: ByteStream) {
        self.put_stream();
        self.attached.push(stream.into());
    }

    /// Notes that the value holds a handle that `owner` keeps.
    pub fn pin(&mut self, owner: ProcessId) {
        self.pins = match self.pins {
            None => Some(Pins::One(owner)),
            Some(Pins::One(same)) if same == owner => Some(Pins::One(owner)),
            Some(_) => Some(Pins::Several),
        };
    }

    /// Who keeps the pinned handles written so far; `None` if there are none.
    #[must_use]
    pub fn pins(&self) -> Option<Pins> {
        self.pins
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The value, complete.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }

    /// The value, complete, and the streams that were attached to it, as it refers to them.
    #[must_use]
    pub fn finish_with_streams(self) -> (Bytes, Vec<ByteStream>) {
        let streams = self.attached.into_iter().map(Stream::into_chunks).collect();
        (self.out.freeze(), streams)
    }
}
