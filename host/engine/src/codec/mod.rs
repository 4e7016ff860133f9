//! Between the memory of a guest and the wire.
//!
//! Two ways lead there and back. [`direct`] walks the canonical ABI's memory by the types that wasmtime keeps and
//! reads or writes the encoding of [`wicker_lattice::value`] in the same step: a list of bytes is one copy. It leans
//! on parts of wasmtime that are public but not promised, so wasmtime's version is exact, and all of it is in that one
//! module. [`val`] goes through wasmtime's dynamic values and leans on nothing: it is slow (40 bytes an element)
//! and is the oracle that `direct` is tested against.
//!
//! [`shape`] decides beforehand what can cross at all, so neither has to.

pub(crate) mod direct;
pub(crate) mod shape;
pub(crate) mod stream;
pub(crate) mod val;

use std::sync::Arc;

use bytes::Bytes;
use wicker_lattice::call::{ByteStream, CallError, Status};
use wicker_lattice::value::{DecodeError, Encode as _, Handle, Writer};

use self::stream::Ending;
use crate::home::{Home, Pin};
use crate::tokens::Held;

/// Parameters or results on their way: one encoded tuple, and the streams that it refers to.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) streams: Vec<ByteStream>,
    /// When the guest has nothing left to write into `streams`: it must live until then. Empty for what comes from
    /// outside.
    pub(crate) endings: Vec<Ending>,
    /// Where pinned handles in it lead that came from a guest.
    pub(crate) pin: Option<Pin>,
    /// Where pinned handles in it came from that go to a guest.
    pub(crate) home: Option<Arc<Home>>,
}

impl Payload {
    /// A payload that came from outside.
    pub(crate) fn new(bytes: Bytes, streams: Vec<ByteStream>) -> Self {
        Self { bytes, streams, ..Self::default() }
    }
}

/// Which half of a call a payload is: decides whose fault it is when it cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Parameters on their way into an export: the caller's fault, and nothing ran.
    Params,
    /// Results on their way back into the guest that called: it traps.
    Results,
}

impl Side {
    fn blame(self, error: wasmtime::Error) -> wasmtime::Error {
        match (self, error.downcast_ref::<DecodeError>()) {
            (Self::Params, Some(fault)) => wasmtime::Error::new(fault.in_params()),
            (Self::Results, Some(fault)) => wasmtime::format_err!("{}", fault.in_results().message),
            (_, None) => error,
        }
    }
}

/// Writes the handle of what a guest holds. `pin` notes where the call must go that it is a parameter of.
fn put_handle(held: Held, out: &mut Writer, pin: &mut Option<Pin>) -> wasmtime::Result<()> {
    let (handle, home) = match held {
        Held::Stateless(token) => {
            Handle::Stateless(token).encode(out);
            return Ok(());
        }
        Held::Pinned(handle, home) => (handle, home),
    };
    if pin.as_ref().is_some_and(|pin| pin.owner != handle.owner) {
        wasmtime::bail!("the handles of one call are kept by different processes");
    }
    handle.encode(out);
    pin.get_or_insert(Pin { owner: handle.owner, home });
    Ok(())
}

/// The failure of a call with a value larger than any may be.
fn too_large(bytes: usize) -> wasmtime::Error {
    let max = wicker_lattice::call::VALUE_BYTES_MAX >> 20;
    let message = format!("a value of {bytes} bytes is over the {max} MiB that one call may carry");
    wasmtime::Error::new(CallError::new(Status::Unsupported, message))
}
