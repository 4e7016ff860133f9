//! What follows the header of a request or a reply: the beginnings of its streams, and its value.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::FrameError;
use super::input::Input;
use crate::call::VALUE_BYTES_MAX;

/// The value follows in parts.
pub(super) const FLAG_PARTS: u8 = 1;

/// There is no more of a stream.
pub(super) const FLAG_END: u8 = 1;

/// A value as it travels: in the frame, or announced there and sent after it in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The encoded value.
    Whole(Bytes),
    /// It has this many bytes and follows as stream 0.
    Parts(u32),
}

/// The beginning of a stream, sent along with the value that refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Its first bytes; may be none.
    pub bytes: Bytes,
    /// Whether they are all of it.
    pub is_all: bool,
}

impl Value {
    pub(super) fn flag(&self) -> u8 {
        match self {
            Self::Whole(_) => 0,
            Self::Parts(_) => FLAG_PARTS,
        }
    }

    pub(super) fn inline_len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts(_) => 4,
        }
    }
}

pub(super) fn heads_len(heads: &[Head]) -> usize {
    heads.iter().map(|head| 5 + head.bytes.len()).sum()
}

pub(super) fn count(heads: &[Head]) -> u8 {
    u8::try_from(heads.len()).unwrap_or(u8::MAX)
}

pub(super) fn put_body(out: &mut BytesMut, heads: &[Head], value: &Value) {
    if let Value::Parts(total) = value {
        out.put_u32_le(*total);
    }
    for head in heads {
        out.put_u8(u8::from(head.is_all));
        out.put_u32_le(u32::try_from(head.bytes.len()).unwrap_or(u32::MAX));
        out.put_slice(&head.bytes);
    }
    if let Value::Whole(bytes) = value {
        out.put_slice(bytes);
    }
}

impl Input {
    pub(super) fn body(mut self, flags: u8, streams: u8) -> Result<(Vec<Head>, Value), FrameError> {
        let total = if flags & FLAG_PARTS != 0 { Some(self.u32()?) } else { None };
        let mut heads = Vec::new();
        for _ in 0..streams {
            let is_all = self.flags(FLAG_END)? == FLAG_END;
            let len = usize::try_from(self.u32()?).map_err(|_| FrameError::Short)?;
            heads.push(Head { bytes: self.take(len)?, is_all });
        }
        match total {
            None => Ok((heads, Value::Whole(self.0))),
            Some(_) if !self.0.is_empty() => Err(FrameError::Trailing),
            Some(total) if total as usize > VALUE_BYTES_MAX => Err(FrameError::TooLarge(total)),
            Some(total) => Ok((heads, Value::Parts(total))),
        }
    }
}
