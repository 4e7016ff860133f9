//! The callee's last frame of a call.

use bytes::{BufMut, BytesMut};

use super::body::{FLAG_PARTS, Head, Value, count, heads_len, put_body};
use super::error::FrameError;
use super::header::{REPLY, VERSION};
use super::input::Input;
use super::status::{status_code, status_from_code};
use crate::call::Status;

/// The callee's last word on a call; the streams of its results live on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How busy the callee's process is: 0 idle, 255 full.
    pub load: u8,
    /// What came of it.
    pub outcome: Outcome,
}

/// Results, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It returned.
    Results {
        /// The beginnings of the results' streams.
        heads: Vec<Head>,
        /// The results.
        results: Value,
    },
    /// It did not.
    Failed {
        /// How.
        status: Status,
        /// For people.
        message: String,
    },
}

/// Whether a message is a reply, without reading it.
#[must_use]
pub fn is_reply(message: &[u8]) -> bool {
    message.starts_with(&[VERSION, REPLY])
}

/// Whether a reply has anything that follows it, without reading it.
#[must_use]
pub fn has_streams(reply: &[u8]) -> bool {
    matches!(reply, [VERSION, REPLY, flags, streams, ..] if flags & FLAG_PARTS != 0 || *streams > 0)
}

impl Reply {
    /// Bytes beside the header.
    pub(super) fn payload_len(&self) -> usize {
        match &self.outcome {
            Outcome::Results { heads, results } => results.inline_len() + heads_len(heads),
            Outcome::Failed { message, .. } => message.len(),
        }
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        match &self.outcome {
            Outcome::Results { heads, results } => {
                out.put_slice(&[REPLY, results.flag(), count(heads), 0, self.load]);
                put_body(out, heads, results);
            }
            Outcome::Failed { status, message } => {
                out.put_slice(&[REPLY, 0, 0, status_code(*status), self.load]);
                out.put_slice(message.as_bytes());
            }
        }
    }

    pub(super) fn decode(mut input: Input) -> Result<Self, FrameError> {
        let flags = input.flags(FLAG_PARTS)?;
        let streams = input.streams()?;
        let code = input.u8()?;
        let load = input.u8()?;
        let outcome = if code == 0 {
            let (heads, results) = input.body(flags, streams)?;
            Outcome::Results { heads, results }
        } else {
            let status = status_from_code(code).ok_or(FrameError::Code(code))?;
            Outcome::Failed { status, message: input.text()? }
        };
        Ok(Self { load, outcome })
    }
}
