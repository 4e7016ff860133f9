//! What stands in a value for things that cannot be copied: resources and streams.

use bytes::Bytes;

use super::{Decode, DecodeError, Encode, Fault, Reader, Writer};
use crate::id::ProcessId;

/// First byte of a handle whose token is all its state.
const STATELESS: u8 = 0;

/// First byte of a handle to what one process keeps.
const PINNED: u8 = 1;

/// A resource on the wire: a `list<u8>` whose first byte says of which kind. Owned and borrowed handles look alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Handle {
    /// Its token is all its state (a bucket's name), in whatever form the provider likes, so any replica serves it, and
    /// dropping it tells nobody. It comes back as it was, but from a caller: a provider checks it like any parameter.
    Stateless(Bytes),
    /// One process keeps what it stands for: a transaction, a cursor. Dropping it tells that process.
    Pinned(PinnedHandle),
}

/// A resource that one process keeps: only that one serves it, to the source that it was given to, for as long as it is used
/// now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PinnedHandle {
    /// The process that keeps it: calls with this handle go there and nowhere else.
    pub owner: ProcessId,
    /// What it is known by there: random, so that nobody can guess one.
    pub nonce: [u8; 16],
}

impl Handle {
    /// A handle to what `token` names.
    pub fn stateless(token: impl Into<Bytes>) -> Self {
        Self::Stateless(token.into())
    }
}

impl Encode for Handle {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Stateless(token) => {
                writer.put_len(token.len() + 1);
                writer.put_u8(STATELESS);
                writer.put_slice(token);
            }
            Self::Pinned(pinned) => pinned.encode(writer),
        }
    }
}

impl Encode for PinnedHandle {
    fn encode(&self, writer: &mut Writer) {
        let (owner, nonce) = (self.owner.to_bytes(), self.nonce);
        writer.pin(self.owner);
        writer.put_len(1 + owner.len() + nonce.len());
        writer.put_u8(PINNED);
        writer.put_slice(&owner);
        writer.put_slice(&nonce);
    }
}

impl PinnedHandle {
    /// Reads what follows the first byte.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (owner, nonce) = bytes.split_first_chunk()?;
        Some(Self { owner: ProcessId::from_bytes(*owner), nonce: nonce.try_into().ok()? })
    }
}

impl Decode for Handle {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes()?;
        let pinned = || PinnedHandle::read(bytes.get(1..)?).map(Self::Pinned);
        match bytes.first() {
            Some(&STATELESS) => Ok(Self::Stateless(bytes.slice(1..))),
            Some(&PINNED) => pinned().ok_or_else(|| reader.error(Fault::HandleKind)),
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
