//! What stands for WIT resources: tokens that any replica understands, or what this process keeps.

use std::ops::Deref;

use bytes::Bytes;
use wicker_lattice::value::{Decode, DecodeError, Encode, Fault, Reader, Writer};

pub use wicker_lattice::value::Handle;

/// What may stand for a WIT resource: whatever is [`Stateless`], or something [`Pinned`](crate::Pinned).
pub trait Resource: Sized + Send + Sync + 'static {
    /// The handle that the caller gets.
    fn to_handle(&self) -> Handle;

    /// What a handle stands for that the caller keeps: WIT's `borrow`.
    ///
    /// # Errors
    /// It stands for nothing here, or for nothing of this caller's.
    fn lent(handle: Handle) -> Result<Self, Fault>;

    /// What a handle stands for that the caller gives up: WIT's `own`.
    ///
    /// # Errors
    /// As [`Resource::lent`].
    fn given(handle: Handle) -> Result<Self, Fault> {
        Self::lent(handle)
    }
}

/// What stands for a WIT resource without anybody keeping it: a value small enough to travel as the handle itself.
///
/// A bucket is its name; a compare-and-swap is its key and the version it saw. Nothing is kept in the provider, so
/// there is nothing to leak when a caller forgets to drop the handle, and nothing to lose when a provider restarts.
///
/// A token comes back from a caller, who may have made it up: whatever it says is checked like a parameter.
pub trait Stateless: Sized + Send + Sync + 'static {
    /// The token: all that is needed to make this value again, here or in another replica.
    fn to_token(&self) -> Bytes;

    /// Reads a token; `None` where it is none.
    fn from_token(token: Bytes) -> Option<Self>;
}

/// A name as a handle: its UTF-8.
impl Stateless for String {
    fn to_token(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }

    fn from_token(token: Bytes) -> Option<Self> {
        Self::from_utf8(token.into()).ok()
    }
}

impl<T: Stateless> Resource for T {
    fn to_handle(&self) -> Handle {
        Handle::stateless(self.to_token())
    }

    fn lent(handle: Handle) -> Result<Self, Fault> {
        let token = match handle {
            Handle::Stateless(token) => T::from_token(token),
            Handle::Pinned(_) => None,
        };
        token.ok_or(Fault::NotA("handle"))
    }
}

/// A handle that whoever holds it need not understand: what a client has.
impl Resource for Handle {
    fn to_handle(&self) -> Handle {
        self.clone()
    }

    fn lent(handle: Handle) -> Result<Self, Fault> {
        Ok(handle)
    }
}

/// WIT's `own<resource>` inside a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Own<T>(pub T);

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Resource> Encode for Own<T> {
    fn encode(&self, writer: &mut Writer) {
        self.0.to_handle().encode(writer);
    }
}

impl<T: Resource> Decode for Own<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let handle = Handle::decode(reader)?;
        T::given(handle).map(Self).map_err(|fault| reader.error(fault))
    }
}

/// WIT's `borrow<resource>` as a parameter, while it is read.
#[derive(Debug)]
pub struct Lent<T>(pub T);

impl<T: Resource> Decode for Lent<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let handle = Handle::decode(reader)?;
        T::lent(handle).map(Self).map_err(|fault| reader.error(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wicker_lattice::value::{decode_exact, encode};

    #[test]
    fn handle_comes_back_as_it_went() {
        let bytes = encode(&Own("orders".to_owned()));
        assert_eq!(bytes.as_ref(), b"\x07\x00orders");
        assert_eq!(decode_exact::<Own<String>>(&bytes).unwrap().0, "orders");
        assert_eq!(decode_exact::<Own<Handle>>(&bytes).unwrap().0, Handle::stateless("orders"));
    }

    #[test]
    fn token_that_is_no_name_is_refused() {
        let error = decode_exact::<Own<String>>(&Bytes::from_static(b"\x02\x00\xff")).unwrap_err();
        assert_eq!(error.fault, Fault::NotA("handle"));
    }
}
