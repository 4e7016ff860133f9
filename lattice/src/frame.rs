//! The frames of lattice RPC v1, byte for byte. `docs/protocol.md` says the same in prose, with golden vectors.
//!
//! Every frame is one NATS message and begins with [`VERSION`] and its kind. Integers are little-endian and of fixed
//! width; what has no length runs to the end of the message. Decoding never allocates from a length on the wire and
//! refuses what it does not know.
//!
//! ```text
//! request  1  u8 flags, u8 streams, [8] type hash, [16] call id, u32 budget ms, u32 credit bytes, u64 link revision,
//!             u8 n + source, u8 n + link name (empty: default), trace?, u32 total?, heads, parameters
//! reply    2  u8 flags, u8 streams, u8 status, u8 load, u32 total?, heads, results     (error: message in their place)
//! accept   3  u8 load                      the callee works on it and will beat
//! beat     4  u8 load                      it still does
//! cancel   5                               the caller gave up
//! chunk    6  u8 stream, u8 flags, u32 sequence, bytes
//! abort    7  u8 stream, u32 sequence, message            the writer gave up
//! credit   8  u8 stream, u64 limit         the reader takes bytes up to this position, counted from the stream's start
//! stop     9  u8 stream                    the reader is gone
//! pulse   10  u8 stream, u32 sequence      the writer lives and has sent the chunks below this sequence number
//!
//! trace    [16] trace id, [8] span id, u8 flags           with flag 2
//! total    bytes of the value, which follows as stream 0  with flag 1 (then no parameters or results follow)
//! head     u8 flags (1: this is all), u32 n + bytes       the beginning of stream 1, 2, ...
//! ```
//!
//! A *stream number* has bit 7 set where the callee writes it. 0 is the value itself, where it is too large for one
//! message; 1 and up are the streams that the value refers to (their index plus one).

use std::sync::{Arc, LazyLock};

use bytes::{BufMut, Bytes, BytesMut};

use crate::call::{DEFAULT_LINK, Status, TraceContext, VALUE_BYTES_MAX};
use crate::id::{CallId, ObjectId};
use crate::types::TypeHash;

/// The version of the protocol, the first byte of every frame.
pub const VERSION: u8 = 1;

/// Streams of one value, at most.
pub const STREAMS_MAX: usize = 127;

/// The fixed part of a request, plus the longest source, link name and trace: what one message holds besides the value.
pub const REQUEST_HEADER_BYTES_MAX: usize = 46 + 255 + 255 + 25 + 4;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ACCEPT: u8 = 3;
const BEAT: u8 = 4;
const CANCEL: u8 = 5;
const CHUNK: u8 = 6;
const ABORT: u8 = 7;
const CREDIT: u8 = 8;
const STOP: u8 = 9;
const PULSE: u8 = 10;

/// The name that nearly every link has, shared.
static DEFAULT: LazyLock<Arc<str>> = LazyLock::new(|| DEFAULT_LINK.into());

const FLAG_PARTS: u8 = 1;
const FLAG_TRACE: u8 = 2;
const FLAG_END: u8 = 1;

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

/// The number of a stream within its call, and who writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamNumber(pub u8);

/// A request. Who is called stands in its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of the function, as the caller believes it.
    pub type_hash: TypeHash,
    /// The idempotency key.
    pub call: CallId,
    /// How long the caller still waits.
    pub budget_ms: u32,
    /// Bytes that the callee may send of each stream of its reply before it hears of more.
    pub credit: u32,
    /// Who calls.
    pub source: ObjectId,
    /// The link's name.
    pub link: Arc<str>,
    /// The link record's revision.
    pub link_revision: u64,
    /// Where the caller is traced.
    pub trace: Option<TraceContext>,
    /// The beginnings of the parameters' streams.
    pub heads: Vec<Head>,
    /// The parameters.
    pub params: Value,
}

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

/// A message is not a frame of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ends before its frame does.
    #[error("frame ends early")]
    Short,
    /// Another version of the protocol.
    #[error("frame has version {0}, this process speaks {VERSION}")]
    Version(u8),
    /// No such frame, or not here.
    #[error("frame has unknown kind {0}")]
    Kind(u8),
    /// A flag or a status that this version does not have.
    #[error("frame has an unknown flag or status {0}")]
    Code(u8),
    /// More bytes than the frame has.
    #[error("frame has bytes after its end")]
    Trailing,
    /// A source that is no object's id.
    #[error("frame names a source that is no object's id")]
    Source,
    /// Text that is not UTF-8.
    #[error("frame holds text that is not UTF-8")]
    Utf8,
    /// A value that is too large.
    #[error("frame announces a value of {0} bytes, the most is {VALUE_BYTES_MAX}")]
    TooLarge(u32),
}

impl StreamNumber {
    const CALLEE: u8 = 0x80;

    /// The parameters themselves.
    pub const PARAMS: Self = Self(0);
    /// The results themselves.
    pub const RESULTS: Self = Self(Self::CALLEE);

    /// The stream to which the parameters refer as `index`.
    #[must_use]
    pub fn of_params(index: usize) -> Self {
        Self(narrow(index))
    }

    /// The stream to which the results refer as `index`.
    #[must_use]
    pub fn of_results(index: usize) -> Self {
        Self(narrow(index) | Self::CALLEE)
    }

    /// Whether the callee writes it.
    #[must_use]
    pub fn is_written_by_callee(self) -> bool {
        self.0 & Self::CALLEE != 0
    }
}

/// `index + 1`, of at most [`STREAMS_MAX`] streams.
fn narrow(index: usize) -> u8 {
    u8::try_from(index + 1).unwrap_or(u8::MAX) & !StreamNumber::CALLEE
}

impl Request {
    /// Writes the frame. `link` is cut at 255 bytes, which no valid name reaches.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out =
            BytesMut::with_capacity(128 + self.params.inline_len() + heads_len(&self.heads));
        let flags = self.params.flag() | if self.trace.is_some() { FLAG_TRACE } else { 0 };
        out.put_slice(&[VERSION, REQUEST, flags, count(&self.heads)]);
        out.put_slice(&self.type_hash.0);
        out.put_slice(&self.call.to_bytes());
        out.put_u32_le(self.budget_ms);
        out.put_u32_le(self.credit);
        out.put_u64_le(self.link_revision);
        put_short(&mut out, self.source.as_str());
        put_short(&mut out, if &*self.link == DEFAULT_LINK { "" } else { &self.link });
        if let Some(trace) = &self.trace {
            out.put_slice(&trace.trace_id);
            out.put_slice(&trace.span_id);
            out.put_u8(trace.flags);
        }
        put_body(&mut out, &self.heads, &self.params);
        out.freeze()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// The message is not a request of this version.
    pub fn decode(message: Bytes) -> Result<Self, FrameError> {
        let mut input = Input(message);
        input.version()?;
        let kind = input.u8()?;
        if kind != REQUEST {
            return Err(FrameError::Kind(kind));
        }
        let flags = input.flags(FLAG_PARTS | FLAG_TRACE)?;
        let streams = input.streams()?;
        let type_hash = TypeHash(input.array()?);
        let call = CallId::from_bytes(input.array()?);
        let budget_ms = input.u32()?;
        let credit = input.u32()?;
        let link_revision = input.u64()?;
        let source = input.short(|text| text.parse().map_err(|_| FrameError::Source))?;
        let link = input
            .short(|name| Ok(if name.is_empty() { Arc::clone(&DEFAULT) } else { name.into() }))?;
        let trace = if flags & FLAG_TRACE != 0 { Some(input.trace()?) } else { None };
        let (heads, params) = input.body(flags, streams)?;
        Ok(Self {
            type_hash,
            call,
            budget_ms,
            credit,
            source,
            link,
            link_revision,
            trace,
            heads,
            params,
        })
    }
}

impl Frame {
    /// Writes the frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.payload_len());
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

    fn payload_len(&self) -> usize {
        match self {
            Self::Reply(reply) => match &reply.outcome {
                Outcome::Results { heads, results } => results.inline_len() + heads_len(heads),
                Outcome::Failed { message, .. } => message.len(),
            },
            Self::Chunk { bytes, .. } => bytes.len(),
            Self::Abort { message, .. } => message.len(),
            _ => 0,
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
    fn put(&self, out: &mut BytesMut) {
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

    fn decode(mut input: Input) -> Result<Self, FrameError> {
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

impl Value {
    fn flag(&self) -> u8 {
        match self {
            Self::Whole(_) => 0,
            Self::Parts(_) => FLAG_PARTS,
        }
    }

    fn inline_len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts(_) => 4,
        }
    }
}

/// What a status is on the wire; 0 is success.
#[must_use]
pub fn status_code(status: Status) -> u8 {
    match status {
        Status::Unavailable => 1,
        Status::NotFound => 2,
        Status::TypeMismatch => 3,
        Status::Denied => 4,
        Status::Overloaded => 5,
        Status::Draining => 6,
        Status::Deadline => 7,
        Status::Cancelled => 8,
        Status::Trapped => 9,
        Status::Lost => 10,
        Status::BadFrame => 11,
        Status::Unsupported => 12,
    }
}

/// Reads what [`status_code`] wrote.
#[must_use]
pub fn status_from_code(code: u8) -> Option<Status> {
    const ALL: [Status; 12] = [
        Status::Unavailable,
        Status::NotFound,
        Status::TypeMismatch,
        Status::Denied,
        Status::Overloaded,
        Status::Draining,
        Status::Deadline,
        Status::Cancelled,
        Status::Trapped,
        Status::Lost,
        Status::BadFrame,
        Status::Unsupported,
    ];
    ALL.into_iter().find(|status| status_code(*status) == code)
}

fn heads_len(heads: &[Head]) -> usize {
    heads.iter().map(|head| 5 + head.bytes.len()).sum()
}

fn count(heads: &[Head]) -> u8 {
    u8::try_from(heads.len()).unwrap_or(u8::MAX)
}

fn put_short(out: &mut BytesMut, text: &str) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.put_u8(len);
    out.put_slice(text.as_bytes().get(..usize::from(len)).unwrap_or_default());
}

fn put_body(out: &mut BytesMut, heads: &[Head], value: &Value) {
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

/// What is left of a message. Everything taken from it shares its memory.
struct Input(Bytes);

impl Input {
    fn take(&mut self, len: usize) -> Result<Bytes, FrameError> {
        if self.0.len() < len { Err(FrameError::Short) } else { Ok(self.0.split_to(len)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, _) = self.0.split_first_chunk::<N>().ok_or(FrameError::Short)?;
        let array = *array;
        bytes::Buf::advance(&mut self.0, N);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    fn version(&mut self) -> Result<(), FrameError> {
        match self.u8()? {
            VERSION => Ok(()),
            other => Err(FrameError::Version(other)),
        }
    }

    fn flags(&mut self, known: u8) -> Result<u8, FrameError> {
        let flags = self.u8()?;
        if flags & !known == 0 { Ok(flags) } else { Err(FrameError::Code(flags)) }
    }

    fn streams(&mut self) -> Result<u8, FrameError> {
        let streams = self.u8()?;
        if usize::from(streams) <= STREAMS_MAX {
            Ok(streams)
        } else {
            Err(FrameError::Code(streams))
        }
    }

    fn stream(&mut self) -> Result<StreamNumber, FrameError> {
        self.u8().map(StreamNumber)
    }

    /// A text of up to 255 bytes, as `read` reads it.
    fn short<T>(
        &mut self,
        read: impl FnOnce(&str) -> Result<T, FrameError>,
    ) -> Result<T, FrameError> {
        let len = self.u8()?;
        let bytes = self.take(usize::from(len))?;
        read(std::str::from_utf8(&bytes).map_err(|_| FrameError::Utf8)?)
    }

    /// The rest, as text.
    fn text(&mut self) -> Result<String, FrameError> {
        let bytes = std::mem::take(&mut self.0);
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| FrameError::Utf8)
    }

    fn trace(&mut self) -> Result<TraceContext, FrameError> {
        Ok(TraceContext { trace_id: self.array()?, span_id: self.array()?, flags: self.u8()? })
    }

    fn body(mut self, flags: u8, streams: u8) -> Result<(Vec<Head>, Value), FrameError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            type_hash: TypeHash([1, 2, 3, 4, 5, 6, 7, 8]),
            call: CallId::from_bytes([9; 16]),
            budget_ms: 10_000,
            credit: 1 << 20,
            source: "default/a/b".parse().unwrap(),
            link: DEFAULT_LINK.into(),
            link_revision: 7,
            trace: None,
            heads: Vec::new(),
            params: Value::Whole(Bytes::from_static(b"params")),
        }
    }

    #[test]
    fn request_reads_back_as_written() {
        let trace = Some(TraceContext { trace_id: [3; 16], span_id: [4; 8], flags: 1 });
        let heads = vec![Head { bytes: Bytes::from_static(b"he"), is_all: true }, Head::default()];
        for request in [
            request(),
            Request { trace, link: "other".into(), ..request() },
            Request { heads: heads.clone(), ..request() },
            Request { heads, params: Value::Parts(2_000_000), ..request() },
        ] {
            assert_eq!(Request::decode(request.encode()), Ok(request));
        }
    }

    #[test]
    fn frames_read_back_as_written() {
        let stream = StreamNumber::of_results(0);
        let results = Value::Whole(Bytes::from_static(b"r"));
        let failed = Outcome::Failed { status: Status::Trapped, message: "unreachable".to_owned() };
        for frame in [
            Frame::Reply(Reply { load: 3, outcome: Outcome::Results { heads: vec![], results } }),
            Frame::Reply(Reply { load: 0, outcome: failed }),
            Frame::Accept { load: 1 },
            Frame::Beat { load: 255 },
            Frame::Cancel,
            Frame::Chunk { stream, is_end: true, sequence: 5, bytes: Bytes::from_static(b"abc") },
            Frame::Abort { stream, sequence: 6, message: "disk".to_owned() },
            Frame::Credit { stream, limit: 1 << 40 },
            Frame::Stop { stream },
            Frame::Pulse { stream, sequence: 9 },
        ] {
            assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn statuses_read_back_as_written() {
        let codes: Vec<u8> = (1..=12).collect();
        assert!(codes.iter().all(|code| status_from_code(*code).map(status_code) == Some(*code)));
        assert_eq!(status_from_code(0), None);
        assert_eq!(status_from_code(13), None);
    }

    #[test]
    fn every_cut_of_a_request_header_is_refused() {
        let whole = request().encode();
        let header = whole.len() - b"params".len();
        for len in 0..header {
            assert_eq!(Request::decode(whole.slice(..len)), Err(FrameError::Short), "{len}");
        }
    }

    #[test]
    fn unknown_versions_kinds_and_flags_are_refused() {
        assert_eq!(Frame::decode(Bytes::from_static(&[2, 3, 0])), Err(FrameError::Version(2)));
        assert_eq!(Frame::decode(Bytes::from_static(&[1, 99])), Err(FrameError::Kind(99)));
        assert_eq!(Frame::decode(Bytes::from_static(&[1, 5, 0])), Err(FrameError::Trailing));
        let reply = [1, 2, 0x80, 0, 0, 0];
        assert_eq!(Frame::decode(Bytes::copy_from_slice(&reply)), Err(FrameError::Code(0x80)));
    }
}
