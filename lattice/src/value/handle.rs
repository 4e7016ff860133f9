//! What stands in a value for things that cannot be copied: resources and streams.

use bytes::Bytes;

use super::{Decode, DecodeError, Encode, Fault, Reader, Writer};

/// First byte of a handle whose token is all its state.
const STATELESS: u8 = 0;

/// A resource on the wire: a *stateless* handle, whose token is its state (a bucket's name), so that any replica of
/// its provider serves it. Owned and borrowed handles look alike; dropping one tells nobody.
///
/// A `list<u8>` that begins with 0. 1 is reserved for pinned handles (owner, id, nonce, lease).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The state, in whatever form the provider likes. It comes back as it was, but from a caller: a provider checks
    /// it like any parameter.
    pub token: Bytes,
}

impl Handle {
    /// A handle to what `token` names.
    pub fn stateless(token: impl Into<Bytes>) -> Self {
        Self { token: token.into() }
    }
}

impl Encode for Handle {
    fn encode(&self, writer: &mut Writer) {
        writer.put_len(self.token.len() + 1);
        writer.put_u8(STATELESS);
        writer.put_slice(&self.token);
    }
}

impl Decode for Handle {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes()?;
        match bytes.first() {
            Some(&STATELESS) => Ok(Self { token: bytes.slice(1..) }),
            _ => Err(reader.error(Fault::HandleKind)),
        }
    }
}

/// A `stream<u8>` in a value: the index of the stream among those of its call or reply.
///
/// Made by [`Writer::put_stream`], which numbers streams as they occur; there is no `Encode`, because a number that
/// was made up could not be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamRef(pub u32);

impl Decode for StreamRef {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.stream().map(Self)
    }
}
