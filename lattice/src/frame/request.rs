//! The first frame of a call.

use std::sync::{Arc, LazyLock};

use bytes::{BufMut, Bytes, BytesMut};

use super::body::{FLAG_PARTS, Head, Value, count, heads_len, put_body};
use super::error::FrameError;
use super::header::{REQUEST, VERSION};
use super::input::Input;
use crate::call::{DEFAULT_LINK, TraceContext};
use crate::id::{CallId, ObjectId};
use crate::types::TypeHash;

/// The fixed part of a request, plus the longest source, link name, trace and fence: what one message holds besides the value.
pub const REQUEST_HEADER_BYTES_MAX: usize = FIXED_BYTES + 255 + 255 + 25 + 8 + 4;

/// What every request has: all but texts, trace, fence and body.
const FIXED_BYTES: usize = 46;

const FLAG_TRACE: u8 = 2;

const FLAG_FENCE: u8 = 8;

/// The name that nearly every link has, shared.
static DEFAULT: LazyLock<Arc<str>> = LazyLock::new(|| DEFAULT_LINK.into());

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
    /// Where the caller is a singleton.
    pub fence: Option<u64>,
    /// The beginnings of the parameters' streams.
    pub heads: Vec<Head>,
    /// The parameters.
    pub params: Value,
}

impl Request {
    /// Writes the frame. `link` is cut at 255 bytes, which no valid name reaches.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // Exactly as long as it will be: then the message takes it over as it is.
        let mut out = BytesMut::with_capacity(self.encoded_len());
        let trace = if self.trace.is_some() { FLAG_TRACE } else { 0 };
        let fence = if self.fence.is_some() { FLAG_FENCE } else { 0 };
        let flags = self.params.flag() | trace | fence;
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
        if let Some(fence) = self.fence {
            out.put_u64_le(fence);
        }
        put_body(&mut out, &self.heads, &self.params);
        out.freeze()
    }

    pub(super) fn encoded_len(&self) -> usize {
        let link = if &*self.link == DEFAULT_LINK { 0 } else { self.link.len().min(255) };
        let trace = if self.trace.is_some() { 25 } else { 0 };
        let fence = if self.fence.is_some() { 8 } else { 0 };
        let source = self.source.as_str().len().min(255);
        FIXED_BYTES
            + source
            + link
            + trace
            + fence
            + heads_len(&self.heads)
            + self.params.inline_len()
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
        let flags = input.flags(FLAG_PARTS | FLAG_TRACE | FLAG_FENCE)?;
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
        let fence = if flags & FLAG_FENCE != 0 { Some(input.u64()?) } else { None };
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
            fence,
            heads,
            params,
        })
    }
}

fn put_short(out: &mut BytesMut, text: &str) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.put_u8(len);
    out.put_slice(text.as_bytes().get(..usize::from(len)).unwrap_or_default());
}
