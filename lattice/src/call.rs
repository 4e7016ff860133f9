//! The one boundary that every call crosses: `(interface, function, bytes, streams) -> (bytes, streams)`.
//!
//! Whoever can be called implements [`Invoke`]: a component on this host, a provider linked into it, a process
//! elsewhere behind NATS, and the router that chooses among them. One boundary gives them one semantics: deadline,
//! cancellation, caps, overload and copying. Values travel in the encoding of [`crate::value`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::id::{CallId, ObjectId, ProcessId};
use crate::interface::InterfaceKey;
use crate::types::TypeHash;

/// How long a call may take when nobody said otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one encoded value (all parameters or all results) at most. What is larger is a `stream<u8>`.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// The name of a link until a component uses named imports.
pub const DEFAULT_LINK: &str = "default";

/// Something that can be called.
pub trait Invoke: Send + Sync + 'static {
    /// Carries `call` to whoever serves it and waits for the reply, until [`Call::deadline`] at most.
    ///
    /// Cancel-safe: dropping the future tells the callee to stop. The streams of the reply live on after the future
    /// has resolved; dropping one tells its writer to stop.
    fn invoke(&self, call: Call) -> Invocation<'_>;

    /// Whether calls to `target` compute for some 50 µs at most before they wait for something or end. The thread that
    /// reads from NATS begins those itself: handing one over costs more than it takes. What a stranger wrote, such as a
    /// guest, never is brief.
    fn is_brief(&self, _target: &ObjectId) -> bool {
        false
    }

    /// [`Invoke::invoke`] at one process and no other, because the call holds a handle that it keeps. Whoever has no
    /// choice of processes need not know.
    fn invoke_at(&self, process: ProcessId, call: Call) -> Invocation<'_> {
        let _ = process;
        self.invoke(call)
    }
}

/// A call under way.
pub type Invocation<'a> = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send + 'a>>;

/// One call, ready to be carried.
#[derive(Debug)]
pub struct Call {
    /// Stays the same over retries: the idempotency key.
    pub id: CallId,
    /// Who is called.
    pub target: ObjectId,
    /// Who calls.
    pub source: ObjectId,
    /// The link that led here.
    pub link: LinkRef,
    /// The interface called, under its compatibility key.
    pub interface: InterfaceKey,
    /// The function, as the component ABI names it: `get`, `[method]bucket.get`.
    pub function: Arc<str>,
    /// What the caller believes the signature to be.
    pub type_hash: TypeHash,
    /// When the caller stops waiting. Nested calls inherit it.
    pub deadline: Instant,
    /// W3C trace context, where the caller is traced.
    pub trace: Option<TraceContext>,
    /// Of a caller that is a singleton: the revision of its claim. A callee that has heard a higher one refuses.
    pub fence: Option<u64>,
    /// The parameters, encoded as one tuple.
    pub params: Bytes,
    /// The streams that `params` refers to by index.
    pub streams: Vec<ByteStream>,
}

impl Call {
    /// The same call once more, with these streams: they can be read only once, so they are not copied.
    #[must_use]
    pub fn again(&self, streams: Vec<ByteStream>) -> Self {
        Self {
            id: self.id,
            target: self.target.clone(),
            source: self.source.clone(),
            link: self.link.clone(),
            interface: self.interface.clone(),
            function: Arc::clone(&self.function),
            type_hash: self.type_hash,
            deadline: self.deadline,
            trace: self.trace,
            fence: self.fence,
            params: self.params.clone(),
            streams,
        }
    }
}

/// Which link a call came through, so that a provider finds the link's config.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkRef {
    /// [`DEFAULT_LINK`] until a component uses named imports.
    pub name: Arc<str>,
    /// The store's revision of the link record that the caller had read; 0 where there is no record. A callee that
    /// knows only an older one reads again before it answers.
    pub revision: u64,
}

/// What a call that succeeded gives back.
#[derive(Debug, Default)]
pub struct Reply {
    /// The results, encoded as one tuple (empty for none).
    pub results: Bytes,
    /// The streams that `results` refers to by index.
    pub streams: Vec<ByteStream>,
}

/// Trace id and span id, as W3C `traceparent` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, not all zero.
    pub trace_id: [u8; 16],
    /// 8 bytes, not all zero.
    pub span_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

/// The reading end of a `stream<u8>`: chunks in order, then the end, or an error in place of it.
///
/// Pulled, so its reader sets the pace. Dropping it tells the writer to stop.
pub struct ByteStream(Pin<Box<dyn Stream<Item = Result<Bytes, StreamError>> + Send>>);

impl ByteStream {
    /// Wraps any stream of chunks.
    pub fn new(chunks: impl Stream<Item = Result<Bytes, StreamError>> + Send + 'static) -> Self {
        Self(Box::pin(chunks))
    }

    /// A stream of one chunk (none, if it is empty).
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        let chunk = (!bytes.is_empty()).then_some(Ok(bytes));
        Self::new(futures::stream::iter(chunk))
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

/// A stream ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The other side is gone, or a chunk never arrived.
    #[error("stream lost: {0}")]
    Lost(String),
    /// The writer gave up and said why.
    #[error("stream aborted: {0}")]
    Aborted(String),
}

/// A call failed in the lattice, not in the interface's own terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct CallError {
    /// What went wrong.
    pub status: Status,
    /// What was attempted, on what, and what to do; free of secrets.
    pub message: String,
}

impl CallError {
    /// An error with its message.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Whether the call may have run.
    #[must_use]
    pub fn class(&self) -> Class {
        self.status.class()
    }
}

/// The ways in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nobody serves the target, or no link leads to one; it may come.
    Unavailable,
    /// The target is there but has no such interface or function.
    NotFound,
    /// Caller and callee disagree about the signature.
    TypeMismatch,
    /// The callee refuses this caller.
    Denied,
    /// The callee's queue is full.
    Overloaded,
    /// The callee is stopping.
    Draining,
    /// The deadline passed.
    Deadline,
    /// The caller gave up.
    Cancelled,
    /// The callee ran and failed: a trap, a panic, an instance that broke a limit.
    Trapped,
    /// The callee was seen to start and then fell silent, or its connection broke.
    Lost,
    /// A frame or a value could not be read.
    BadFrame,
    /// A value is larger than [`VALUE_BYTES_MAX`], or the types cannot cross a link.
    Unsupported,
    /// A pinned handle among the parameters is not valid: it expired, was dropped, or was given to somebody else, or
    /// the process that kept it is gone.
    Gone,
}

/// What may have happened to a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It did not run: safe to retry.
    NotExecuted,
    /// It may or may not have run: retry only what is idempotent.
    MaybeExecuted,
    /// It ran, at least in part.
    Executed,
}

impl Status {
    /// Whether a call that failed so may have run.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Unavailable
            | Self::NotFound
            | Self::TypeMismatch
            | Self::Denied
            | Self::Overloaded
            | Self::Draining
            | Self::BadFrame
            | Self::Unsupported
            | Self::Gone => Class::NotExecuted,
            Self::Deadline | Self::Cancelled | Self::Lost => Class::MaybeExecuted,
            Self::Trapped => Class::Executed,
        }
    }

    /// Whether the call did not run and another process may take it, or the same one a little later.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable | Self::Overloaded | Self::Draining)
    }

    /// The name that logs, events and `--output json` show.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::NotFound => "not-found",
            Self::TypeMismatch => "type-mismatch",
            Self::Denied => "denied",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Trapped => "trapped",
            Self::Lost => "lost",
            Self::BadFrame => "bad-frame",
            Self::Unsupported => "unsupported",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
