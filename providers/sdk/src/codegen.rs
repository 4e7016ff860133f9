//! What the code that [`crate::bindgen!`] writes refers to. Not for use by hand.

pub use bytes::Bytes;
pub use wicker_lattice::call::{CallError, Reply};
pub use wicker_lattice::interface::{InterfaceKey, InterfaceName};
pub use wicker_lattice::types::{FunctionType, TypeHash};
pub use wicker_lattice::value::{Decode, DecodeError, Encode, Reader, Stream, Writer};

pub use crate::client::Callee;
pub use crate::handle::{Handle, Lent, Own, Resource};
pub use crate::interface::{Incoming, answer};

/// An interface's name.
#[expect(clippy::expect_used, reason = "bindgen has parsed it before writing it down")]
#[must_use]
pub fn name(text: &str) -> InterfaceName {
    text.parse().expect("bindgen wrote the name of an interface")
}

/// A function's type, from the JSON form.
#[expect(clippy::expect_used, reason = "bindgen has written it")]
#[must_use]
pub fn function_type(json: &str) -> FunctionType {
    serde_json::from_str(json).expect("bindgen wrote a function type")
}

/// Begins to read the parameters.
///
/// # Errors
/// They are too large.
pub fn params(call: &mut Incoming) -> Result<Reader<'_>, CallError> {
    let streams = std::mem::take(&mut call.streams);
    let reader = Reader::new(&call.params).map_err(DecodeError::in_params)?;
    Ok(reader.with_streams(streams))
}

/// Reads one parameter.
///
/// # Errors
/// It is not what the signature says.
pub fn param<T: Decode>(reader: &mut Reader<'_>) -> Result<T, CallError> {
    T::decode(reader).map_err(DecodeError::in_params)
}

/// Ends the parameters.
///
/// # Errors
/// Something follows them.
pub fn end(reader: Reader<'_>) -> Result<(), CallError> {
    reader.finish().map_err(DecodeError::in_params)
}

/// The index of one of `count` cases.
///
/// # Errors
/// There is no such case.
pub fn case(reader: &mut Reader<'_>, count: usize) -> Result<u64, DecodeError> {
    reader.case(count).map(|index| index as u64)
}

/// Writes flags.
pub fn put_flags(writer: &mut Writer, flags: &[bool]) {
    for byte in flags.chunks(8) {
        let bits = byte.iter().enumerate().map(|(at, is_set)| u8::from(*is_set) << at);
        writer.put_u8(bits.sum());
    }
}

/// Reads flags.
///
/// # Errors
/// They are cut off, or a bit is set that stands for none.
pub fn flags<const N: usize>(reader: &mut Reader<'_>) -> Result<[bool; N], DecodeError> {
    let bytes = reader.flags(N)?;
    Ok(std::array::from_fn(|at| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)))
}
