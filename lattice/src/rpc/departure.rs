//! A value on its way out: what travels in the frame, and what follows it in chunks.

use std::sync::Arc;

use bytes::Bytes;

use super::begun::Begun;
use super::keys::{AttemptKey, StreamKey};
use super::shared::Shared;
use super::writer::Writer;
use crate::call::{ByteStream, VALUE_BYTES_MAX};
use crate::frame::{Head, STREAMS_MAX, StreamNumber, Value};

/// Bytes of streams that travel along with the value that refers to them: enough for most HTTP bodies, so that such a
/// call stays two messages.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Of a frame: what each head costs besides its bytes.
const HEAD_OVERHEAD: usize = 5;

/// A value with its streams, about to be sent.
pub(super) struct Departure {
    value: Bytes,
    is_whole: bool,
    streams: Vec<Begun>,
}

/// What follows the frame.
pub(super) struct Parting(Vec<(StreamNumber, Begun)>);

impl Departure {
    /// Decides what fits into one message with `room` bytes for value and heads.
    ///
    /// # Errors
    /// The value or the number of its streams is beyond what may travel; says so.
    pub(super) fn new(value: Bytes, streams: Vec<ByteStream>, room: usize) -> Result<Self, String> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(format!(
                "a value of {} bytes is above the limit of {VALUE_BYTES_MAX}; use a stream<u8>",
                value.len()
            ));
        }
        if streams.len() > STREAMS_MAX {
            return Err(format!(
                "{} streams in one value are above the limit of {STREAMS_MAX}",
                streams.len()
            ));
        }
        let is_whole = value.len() + streams.len() * HEAD_OVERHEAD <= room;
        let taken = if is_whole { value.len() } else { 0 };
        let mut left =
            HEAD_BYTES_MAX.min(room.saturating_sub(taken + streams.len() * HEAD_OVERHEAD));
        let begin = |stream| {
            let begun = Begun::new(stream, left);
            left -= begun.head.bytes.len();
            begun
        };
        let streams = streams.into_iter().map(begin).collect();
        Ok(Self { value, is_whole, streams })
    }

    /// Splits it into the heads and the value for the frame, and what follows. `number` gives each stream its number,
    /// `whole` is the value's own.
    pub(super) fn into_parts(
        self,
        number: fn(usize) -> StreamNumber,
        whole: StreamNumber,
    ) -> (Vec<Head>, Value, Parting) {
        let heads = self.streams.iter().map(|begun| begun.head.clone()).collect();
        let mut parting: Vec<_> = self
            .streams
            .into_iter()
            .enumerate()
            .map(|(index, begun)| (number(index), begun))
            .collect();
        if self.is_whole {
            return (heads, Value::Whole(self.value), Parting(parting));
        }
        let total = u32::try_from(self.value.len()).unwrap_or(u32::MAX);
        parting.push((whole, Begun::value(self.value)));
        (heads, Value::Parts(total), Parting(parting))
    }
}

impl Parting {
    /// Registers what follows, before the frame is sent, so that no credit for it is missed.
    pub(super) fn start(
        self,
        shared: &Arc<Shared>,
        attempt: AttemptKey,
        credit: u64,
    ) -> Vec<Writer> {
        let write = |(number, begun)| shared.write(StreamKey::new(attempt, number), begun, credit);
        self.0.into_iter().filter_map(write).collect()
    }
}
