//! How values travel: the component model's value-definition encoding, extended for handles and streams.
//!
//! A value is positional and says nothing about its type; both ends compare the hash of the function's type first
//! ([`crate::types::TypeHash`]). Parameters, and results, are encoded as one tuple. docs/protocol.md holds the rules byte
//! by byte; in short:
//!
//! | type | bytes |
//! |---|---|
//! | `bool`, `u8`, `s8` | one; a `bool` is 0 or 1 |
//! | `u16` `u32` `u64`, `s16` `s32` `s64` | LEB128, unsigned and signed, as short as possible |
//! | `f32`, `f64` | little-endian; every NaN is the canonical one |
//! | `char` | its UTF-8 |
//! | `string`, `list` | LEB128 length, then the UTF-8, or the elements |
//! | `record`, `tuple` | the fields |
//! | `variant`, `enum` | LEB128 index of the case, then its payload |
//! | `option`, `result` | 0 (`none`, `ok`) or 1 (`some`, `err`), then the payload |
//! | `flags` | one bit each, lowest first, in as few bytes as hold them; spare bits are 0 |
//! | a handle | as a `list<u8>`: kind, then what the kind says ([`Handle`]) |
//! | `stream<u8>` | LEB128 index into the call's streams, which are numbered as they occur ([`StreamRef`], [`Stream`]) |
//!
//! So a value has one encoding. [`Reader`] refuses every other, allocates nothing on the word of a length it has read,
//! and takes no more than [`VALUE_BYTES_MAX`](crate::call::VALUE_BYTES_MAX) bytes.

mod decode;
mod encode;
mod error;
mod handle;
mod reader;
mod stream;
mod writer;

pub use decode::{Decode, decode_exact};
pub use encode::{Encode, encode, encode_params};
pub use error::{DecodeError, Fault};
pub use handle::{Handle, PinnedHandle, StreamRef};
pub use reader::Reader;
pub use stream::Stream;
pub use writer::{Pins, Writer};

#[cfg(test)]
mod tests;
