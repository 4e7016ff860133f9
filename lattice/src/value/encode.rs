//! Rust values to bytes.

use bytes::Bytes;

use super::Writer;

/// A Rust type that is written as a WIT type. Bindings implement it for records, variants and flags.
pub trait Encode {
    /// Appends this value.
    fn encode(&self, writer: &mut Writer);

    /// Appends a list of such values. Overridden where a list is more than its elements one by one.
    fn encode_list(list: &[Self], writer: &mut Writer)
    where
        Self: Sized,
    {
        writer.put_len(list.len());
        list.iter().for_each(|element| element.encode(writer));
    }
}

/// The bytes of one value.
pub fn encode<T: Encode + ?Sized>(value: &T) -> Bytes {
    let mut writer = Writer::new();
    value.encode(&mut writer);
    writer.finish()
}

/// The bytes of all parameters, or results, of a function: a tuple, `()` for none and `(x,)` for one.
pub fn encode_params<T: Encode + ?Sized>(params: &T) -> Bytes {
    encode(params)
}

impl Encode for u8 {
    fn encode(&self, writer: &mut Writer) {
        writer.put_u8(*self);
    }

    fn encode_list(list: &[Self], writer: &mut Writer) {
        writer.put_bytes(list);
    }
}

/// `$value` is what the closure-like `$put` writes.
macro_rules! encode {
    ($($ty:ty: |$value:ident, $writer:ident| $put:expr;)*) => {$(
        impl Encode for $ty {
            #[inline]
            fn encode(&self, $writer: &mut Writer) {
                let $value = self;
                $put;
            }
        }
    )*};
}

encode! {
    bool: |value, writer| writer.put_u8((*value).into());
    i8: |value, writer| writer.put_u8(value.cast_unsigned());
    u16: |value, writer| writer.leb_u((*value).into());
    u32: |value, writer| writer.leb_u((*value).into());
    u64: |value, writer| writer.leb_u(*value);
    i16: |value, writer| writer.leb_s((*value).into());
    i32: |value, writer| writer.leb_s((*value).into());
    i64: |value, writer| writer.leb_s(*value);
    f32: |value, writer| writer.put_f32(*value);
    f64: |value, writer| writer.put_f64(*value);
    char: |value, writer| writer.put_char(*value);
    str: |value, writer| writer.put_str(value);
    String: |value, writer| writer.put_str(value);
    Bytes: |value, writer| writer.put_bytes(value);
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, writer: &mut Writer) {
        (**self).encode(writer);
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self, writer: &mut Writer) {
        (**self).encode(writer);
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, writer: &mut Writer) {
        T::encode_list(self, writer);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, writer: &mut Writer) {
        T::encode_list(self, writer);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.put_u8(self.is_some().into());
        if let Some(value) = self {
            value.encode(writer);
        }
    }
}

impl<T: Encode, E: Encode> Encode for Result<T, E> {
    fn encode(&self, writer: &mut Writer) {
        writer.put_u8(self.is_err().into());
        match self {
            Ok(value) => value.encode(writer),
            Err(error) => error.encode(writer),
        }
    }
}

/// Fields in order, without anything between them.
macro_rules! encode_tuple {
    ($($name:ident)*) => {
        impl<$($name: Encode),*> Encode for ($($name,)*) {
            #[allow(non_snake_case, unused_variables, reason = "a field is named after its type; `()` has none")]
            fn encode(&self, writer: &mut Writer) {
                let ($($name,)*) = self;
                $($name.encode(writer);)*
            }
        }
    };
}

encode_tuple!();
encode_tuple!(A);
encode_tuple!(A B);
encode_tuple!(A B C);
encode_tuple!(A B C D);
encode_tuple!(A B C D E);
encode_tuple!(A B C D E F);
encode_tuple!(A B C D E F G);
encode_tuple!(A B C D E F G H);
