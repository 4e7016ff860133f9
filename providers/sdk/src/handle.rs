//! WIT resources as handles whose token is all their state, so that any replica of a provider serves them.

use std::ops::Deref;

use bytes::Bytes;
use wicker_lattice::value::{Decode, DecodeError, Encode, Fault, Reader, Writer};

pub use wicker_lattice::value::Handle;

/// What stands for a WIT resource: a value small enough to travel as the handle itself.
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

/// A handle that whoever holds it need not understand: what a client has.
impl Stateless for Handle {
    fn to_token(&self) -> Bytes {
        self.token.clone()
    }

    fn from_token(token: Bytes) -> Option<Self> {
        Some(Self { token })
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

impl<T: Stateless> Encode for Own<T> {
    fn encode(&self, writer: &mut Writer) {
        Handle::stateless(self.0.to_token()).encode(writer);
    }
}

impl<T: Stateless> Decode for Own<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let handle = Handle::decode(reader)?;
        T::from_token(handle.token).map(Self).ok_or_else(|| reader.error(Fault::NotA("handle")))
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
        assert_eq!(decode_exact::<Own<Handle>>(&bytes).unwrap().token.as_ref(), b"orders");
    }

    #[test]
    fn token_that_is_no_name_is_refused() {
        let error = decode_exact::<Own<String>>(&Bytes::from_static(b"\x02\x00\xff")).unwrap_err();
        assert_eq!(error.fault, Fault::NotA("handle"));
    }
}
