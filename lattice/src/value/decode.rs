//! Bytes to Rust values.

use bytes::Bytes;

use super::{DecodeError, Reader};

/// Bytes reserved for a list before its elements are seen, at most; it grows with what is really there.
const RESERVE_BYTES_MAX: usize = 16 << 10;

/// A Rust type that is read from a WIT type. Bindings implement it for records, variants and flags.
pub trait Decode: Sized {
    /// Takes one such value from the front.
    ///
    /// # Errors
    /// The bytes are no such value.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Takes a list of such values. Overridden where a list is more than its elements one by one.
    ///
    /// # Errors
    /// The bytes are no such list.
    fn decode_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let len = reader.list_len()?;
        let reserve = RESERVE_BYTES_MAX / size_of::<Self>().max(1);
        let mut list = Vec::with_capacity(len.min(reserve));
        for _ in 0..len {
            list.push(Self::decode(reader)?);
        }
        Ok(list)
    }
}

/// Reads one value that fills `bytes`, such as the tuple of all parameters or results.
///
/// # Errors
/// The bytes are no such value, or go on after it.
pub fn decode_exact<T: Decode>(bytes: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes)?;
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

impl Decode for u8 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u8()
    }

    fn decode_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        reader.slice().map(<[u8]>::to_vec)
    }
}

/// A value is what `$read` makes of the reader.
macro_rules! decode {
    ($($ty:ty: |$reader:ident| $read:expr;)*) => {$(
        impl Decode for $ty {
            #[inline]
            fn decode($reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                $read
            }
        }
    )*};
}

decode! {
    bool: |reader| reader.bool();
    i8: |reader| reader.u8().map(u8::cast_signed);
    u16: |reader| reader.uint();
    u32: |reader| reader.uint();
    u64: |reader| reader.leb_u();
    i16: |reader| reader.sint();
    i32: |reader| reader.sint();
    i64: |reader| reader.leb_s();
    f32: |reader| reader.f32();
    f64: |reader| reader.f64();
    char: |reader| reader.char();
    String: |reader| reader.str().map(str::to_owned);
    Box<str>: |reader| reader.str().map(Box::from);
    Bytes: |reader| reader.bytes();
}

impl<T: Decode> Decode for Box<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self::new)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode_list(reader)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bool()?.then(|| T::decode(reader)).transpose()
    }
}

impl<T: Decode, E: Decode> Decode for Result<T, E> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.bool()? { E::decode(reader).map(Err) } else { T::decode(reader).map(Ok) }
    }
}

macro_rules! decode_tuple {
    ($($name:ident)*) => {
        impl<$($name: Decode),*> Decode for ($($name,)*) {
            #[allow(unused_variables, reason = "`()` reads nothing")]
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(($($name::decode(reader)?,)*))
            }
        }
    };
}

decode_tuple!();
decode_tuple!(A);
decode_tuple!(A B);
decode_tuple!(A B C);
decode_tuple!(A B C D);
decode_tuple!(A B C D E);
decode_tuple!(A B C D E F);
decode_tuple!(A B C D E F G);
decode_tuple!(A B C D E F G H);
