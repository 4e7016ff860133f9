//! Calls of `wicker:blobstore/blobs`, as a guest's link leads.

use std::fmt;
use std::sync::{Arc, LazyLock};

use tokio::time::Instant;
use wicker_lattice::blobs::{IMPORTS, interface};
use wicker_lattice::call::{Call, CallError, Status, TraceContext};
use wicker_lattice::id::CallId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::Binding;
use wicker_lattice::types::{Functions, TypeHash, from_wit};
use wicker_lattice::value::{Decode, DecodeError, Encode, Reader, Stream, Writer};

use crate::instance::Guest;
use crate::log::{Level, Origin};
use crate::wasi::Template;

/// The interface as it is written down, from which the hashes of its functions come.
const WIT: &str = include_str!("../../../../wit/wicker-blobstore/blobstore.wit");

/// Calls what one guest's link leads to. Made for one call of the guest: it has the links and the deadline of that moment.
pub(super) struct Blobs {
    binding: Binding,
    template: Arc<Template>,
    deadline: Instant,
    trace: Option<TraceContext>,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The store says so.
    Refused(Refusal),
    /// It was not reached, or did not answer.
    Call(CallError),
}

/// What the store says: the interface's `error`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoSuchContainer,
    NoSuchObject,
    /// Everything else, for people.
    Other(&'static str, String),
}

/// The interface's `object`.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) written_at: u64,
}

/// The interface's `found`.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) data: Stream,
}

/// The interface's `page`.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) has_more: bool,
}

impl Guest {
    /// Calls by way of the link that the call being served has pinned.
    pub(super) fn blobs(&self) -> Result<Blobs, Failure> {
        static KEYS: LazyLock<Vec<InterfaceKey>> =
            LazyLock::new(|| IMPORTS.iter().filter_map(|import| import.parse().ok()).collect());
        let mut tried = KEYS.iter().map(|key| self.call.links.resolve(&self.actor.id, key));
        let nothing = || self.call.links.resolve(&self.actor.id, &interface());
        let first = tried.next().unwrap_or_else(nothing);
        let binding = first.or_else(|error| tried.find_map(Result::ok).ok_or(error))?.clone();
        Ok(Blobs {
            binding,
            template: Arc::clone(self.template()),
            deadline: self.call.deadline.get(),
            trace: self.call.trace,
        })
    }
}

impl Blobs {
    /// Calls `function` of the interface.
    pub(super) async fn call<R: Decode>(
        &self,
        function: &'static str,
        params: impl Encode,
    ) -> Result<R, Failure> {
        let mut writer = Writer::new();
        params.encode(&mut writer);
        let (params, streams) = writer.finish_with_streams();
        let actor = self.template.actor();
        let call = Call {
            id: CallId::generate(),
            target: self.binding.target.clone(),
            source: actor.id.clone(),
            link: self.binding.link.clone(),
            interface: interface(),
            function: function.into(),
            type_hash: type_hash(function),
            deadline: self.deadline,
            trace: self.trace,
            fence: actor.fence,
            params,
            streams,
        };
        let reply = self.binding.invoke.invoke(call).await.inspect_err(|error| {
            let text = format!("wasi:blobstore failed: {function}: {error}");
            self.template.guest_line(Origin::Engine, Level::Warn, &text);
        })?;
        let read = || {
            let mut reader = Reader::new(&reply.results)?.with_streams(reply.streams);
            let result = <Result<R, Refusal>>::decode(&mut reader)?;
            reader.finish().map(|()| result)
        };
        let result = read().map_err(|error: DecodeError| {
            CallError::new(Status::Trapped, format!("the store's answer cannot be read: {error}"))
        })?;
        result.map_err(Failure::Refused)
    }
}

/// The hash of one function of the interface.
fn type_hash(function: &str) -> TypeHash {
    static FUNCTIONS: LazyLock<Option<Functions>> = LazyLock::new(functions);
    let ty = FUNCTIONS.as_ref().and_then(|functions| functions.get(function));
    #[expect(clippy::expect_used, reason = "a constant; a test reads it")]
    ty.expect("the function is in the WIT").hash()
}

fn functions() -> Option<Functions> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_source("blobstore.wit", WIT).ok()?;
    let blobs = *resolve.packages.get(package)?.interfaces.get("blobs")?;
    from_wit::functions(&resolve, blobs).ok()
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::NoSuchContainer) => f.write_str("no such container"),
            Self::Refused(Refusal::NoSuchObject) => f.write_str("no such object"),
            Self::Refused(Refusal::Other(kind, text)) => write!(f, "{kind}: {text}"),
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl Decode for Refusal {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = match reader.case(7)? {
            0 => return Ok(Self::NoSuchContainer),
            1 => return Ok(Self::NoSuchObject),
            2 => "invalid",
            3 => "denied",
            4 => "broken off",
            5 => "unavailable",
            _ => "failed",
        };
        Ok(Self::Other(kind, Decode::decode(reader)?))
    }
}

impl Decode for Object {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = Decode::decode(reader)?;
        let size = Decode::decode(reader)?;
        Ok(Self { name, size, written_at: Decode::decode(reader)? })
    }
}

impl Decode for Found {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { size: Decode::decode(reader)?, data: Decode::decode(reader)? })
    }
}

impl Decode for Page {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { objects: Decode::decode(reader)?, has_more: Decode::decode(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_is_read_from_its_wit() {
        let functions = functions().unwrap();
        let called = [
            "create-container",
            "delete-container",
            "has-container",
            "put",
            "get",
            "info",
            "delete",
            "list",
            "copy",
        ];
        assert!(called.iter().all(|name| functions.contains_key(*name)), "{functions:?}");
        let error = functions.get("put").map(|put| format!("{put:#}")).unwrap();
        // The order of the cases is that of `Refusal::decode`.
        assert!(error.contains("no-such-container, no-such-object, invalid(string), denied(string), broken-off(string), unavailable(string), other(string)"), "{error}");
    }
}
