//! Any bytes as a value of a type that holds everything: refused, or printed as text that reads back.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::wave;

static SAME: LazyLock<FunctionType> = LazyLock::new(|| {
    let names = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
    let record = vec![
        Type::Bool,
        Type::U8,
        Type::S16,
        Type::U32,
        Type::S64,
        Type::Char,
        Type::String,
        Type::Enum(names(3)),
        Type::Flags(names(9)),
        Type::Option(Box::new(Type::U64)),
        Type::Result { ok: Some(Box::new(Type::String)), err: None },
        Type::Own("a:b/c".parse().expect("an interface"), "r".to_owned()),
    ];
    let case = Type::Tuple(record);
    let variant = Type::Variant(vec![("a".to_owned(), None), ("b".to_owned(), Some(case))]);
    let ty = Type::List(Box::new(variant));
    FunctionType { params: vec![("v".to_owned(), ty.clone())], result: Some(ty), is_async: false }
});

fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(text) = wave::print_results(&SAME, &bytes) {
        let again = wave::encode_params("same", &SAME, &[&text]).expect("printed text reads back");
        assert_eq!(again, bytes, "a value has one encoding");
    }
});
