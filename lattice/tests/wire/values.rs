//! Values come back as they went, through codecs that share no code.

use bytes::Bytes;
use proptest::prelude::*;
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::value::{Decode, Encode, decode_exact, encode};
use wicker_lattice::wave;

use crate::tree::{Tree, types, values};

/// A function that takes and gives one value of type `ty`.
pub(crate) fn same(ty: &Type) -> FunctionType {
    let params = vec![("value".to_owned(), ty.clone())];
    FunctionType { params, result: Some(ty.clone()), is_async: false }
}

fn bytes_of(tree: &Tree) -> Bytes {
    let mut out = Vec::new();
    tree.encode(&mut out);
    out.into()
}

/// The library writes `value` as the plain encoder writes `tree`, and reads it back.
fn check<T: Encode + Decode + PartialEq + std::fmt::Debug>(
    value: T,
    tree: Tree,
) -> Result<(), TestCaseError> {
    let bytes = encode(&value);
    prop_assert_eq!(&bytes, &bytes_of(&tree));
    prop_assert_eq!(decode_exact::<T>(&bytes), Ok(value));
    Ok(())
}

proptest! {
    #[test]
    fn every_value_survives_text_and_bytes(
        (ty, tree) in types().prop_flat_map(|ty| (Just(ty.clone()), values(&ty)))
    ) {
        let (function, bytes) = (same(&ty), bytes_of(&tree));
        let text = wave::print_results(&function, &bytes).unwrap();
        let params = wave::encode_params("same", &function, &[&text]).unwrap();
        prop_assert_eq!(params, bytes, "{} as {}", text, ty);
    }

    #[test]
    fn typed_values_are_written_plainly_and_read_back(
        (small, unsigned, signed) in any::<((bool, u8, i8), (u16, u32, u64), (i16, i32, i64))>(),
        (text, c, list) in any::<(String, char, Vec<u32>)>(),
        (option, result) in any::<(Option<String>, Result<u64, i64>)>(),
    ) {
        check(small, Tree::Fields(vec![
            Tree::Byte(small.0.into()), Tree::Byte(small.1), Tree::Byte(small.2.cast_unsigned()),
        ]))?;
        check(unsigned, Tree::Fields(vec![
            Tree::Unsigned(unsigned.0.into()),
            Tree::Unsigned(unsigned.1.into()),
            Tree::Unsigned(unsigned.2.into()),
        ]))?;
        check(signed, Tree::Fields(vec![
            Tree::Signed(signed.0.into()),
            Tree::Signed(signed.1.into()),
            Tree::Signed(signed.2.into()),
        ]))?;
        let elements = list.iter().map(|value| Tree::Unsigned((*value).into())).collect();
        check((text.clone(), c, list), Tree::Fields(vec![
            Tree::Text(text), Tree::Char(c), Tree::List(elements),
        ]))?;
        let some = option.clone().map(|text| Box::new(Tree::Text(text)));
        check(option, Tree::Case(some.is_some().into(), some))?;
        check(result, match result {
            Ok(value) => Tree::Case(0, Some(Box::new(Tree::Unsigned(value.into())))),
            Err(value) => Tree::Case(1, Some(Box::new(Tree::Signed(value.into())))),
        })?;
    }

    #[test]
    fn cut_values_are_refused(
        (ty, tree) in types().prop_flat_map(|ty| (Just(ty.clone()), values(&ty))),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (function, bytes) = (same(&ty), bytes_of(&tree));
        let cut = bytes.slice(..cut.index(bytes.len()));
        prop_assert!(wave::print_results(&function, &cut).is_err());
        let long = Bytes::from([&bytes[..], &[0]].concat());
        prop_assert!(wave::print_results(&function, &long).is_err());
    }

    #[test]
    fn types_have_one_canonical_form(a in types(), b in types()) {
        prop_assert_eq!(a == b, same(&a).to_string() == same(&b).to_string());
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<Type>(&json).unwrap(), a);
    }
}
