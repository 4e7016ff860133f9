//! Every frame but the first: replies, and the small notices that keep a call and its streams going.

use bytes::{BufMut, Bytes, BytesMut};

use super::body::FLAG_END;
use super::error::FrameError;
use super::header::{ABORT, ACCEPT, BEAT, CANCEL, CHUNK, CREDIT, PULSE, REPLY, STOP, VERSION};
use super::input::Input;
use super::reply::Reply;
use super::stream::StreamNumber;

/// Everything that travels on a reply subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table at the top says what each is")]
pub enum Frame {
    Reply(Reply),
    Accept { load: u8 },
    Beat { load: u8 },
    Cancel,
    Chunk { stream: StreamNumber, is_end: bool, sequence: u32, bytes: Bytes },
    Abort { stream: StreamNumber, sequence: u32, message: String },
    Credit { stream: StreamNumber, limit: u64 },
    Stop { stream: StreamNumber },
    Pulse { stream: StreamNumber, sequence: u32 },
}

impl Frame {
    /// Writes the frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_len());
        out.put_u8(VERSION);
        match self {
            Self::Reply(reply) => reply.put(&mut out),
            Self::Accept { load } => out.put_slice(&[ACCEPT, *load]),
            Self::Beat { load } => out.put_slice(&[BEAT, *load]),
            Self::Cancel => out.put_u8(CANCEL),
            Self::Chunk { stream, is_end, sequence, bytes } => {
                out.put_slice(&[CHUNK, stream.0, u8::from(*is_end) * FLAG_END]);
                out.put_u32_le(*sequence);
                out.put_slice(bytes);
            }
            Self::Abort { stream, sequence, message } => {
                out.put_slice(&[ABORT, stream.0]);
                out.put_u32_le(*sequence);
                out.put_slice(message.as_bytes());
            }
            Self::Credit { stream, limit } => {
                out.put_slice(&[CREDIT, stream.0]);
                out.put_u64_le(*limit);
            }
            Self::Stop { stream } => out.put_slice(&[STOP, stream.0]),
            Self::Pulse { stream, sequence } => {
                out.put_slice(&[PULSE, stream.0]);
                out.put_u32_le(*sequence);
            }
        }
        out.freeze()
    }

    /// Exactly as long as the frame will be: then the message takes over its memory as it is.
    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Self::Reply(reply) => 6 + reply.payload_len(),
            Self::Accept { .. } | Self::Beat { .. } | Self::Stop { .. } => 3,
            Self::Cancel => 2,
            Self::Chunk { bytes, .. } => 8 + bytes.len(),
            Self::Abort { message, .. } => 7 + message.len(),
            Self::Credit { .. } => 11,
            Self::Pulse { .. } => 7,
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// The message is not a frame of this version.
    pub fn decode(message: Bytes) -> Result<Self, FrameError> {
        let mut input = Input(message);
        input.version()?;
        let frame = match input.u8()? {
            REPLY => return Reply::decode(input).map(Self::Reply),
            ACCEPT => Self::Accept { load: input.u8()? },
            BEAT => Self::Beat { load: input.u8()? },
            CANCEL => Self::Cancel,
            CHUNK => {
                let stream = input.stream()?;
                let is_end = input.flags(FLAG_END)? == FLAG_END;
                let sequence = input.u32()?;
                return Ok(Self::Chunk { stream, is_end, sequence, bytes: input.0 });
            }
            ABORT => {
                let (stream, sequence) = (input.stream()?, input.u32()?);
                Self::Abort { stream, sequence, message: input.text()? }
            }
            CREDIT => Self::Credit { stream: input.stream()?, limit: input.u64()? },
            STOP => Self::Stop { stream: input.stream()? },
            PULSE => Self::Pulse { stream: input.stream()?, sequence: input.u32()? },
            kind => return Err(FrameError::Kind(kind)),
        };
        if input.0.is_empty() { Ok(frame) } else { Err(FrameError::Trailing) }
    }
}
