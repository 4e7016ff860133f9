//! WAVE text to parameters, and results to text.

use super::{FunctionType, Type, encode_params, print_results};
use crate::value::{Fault, encode};

fn function(params: &[(&str, Type)], result: Option<Type>) -> FunctionType {
    let params = params.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    FunctionType { params, result, is_async: false }
}

fn add() -> FunctionType {
    let error =
        Type::Variant(vec![("full".to_owned(), None), ("other".to_owned(), Some(Type::String))]);
    let result = Type::Result { ok: Some(Box::new(Type::U32)), err: Some(Box::new(error)) };
    function(&[("item", Type::String), ("count", Type::U32)], Some(result))
}

fn refusal(arguments: &[&str]) -> String {
    encode_params("add", &add(), arguments).unwrap_err().to_string()
}

const SIGNATURE: &str =
    "add: func(item: string, count: u32) -> result<u32, variant { full, other(string) }>";

#[test]
fn arguments_become_parameters() {
    let params = encode_params("add", &add(), &["\"apple\"", "300"]).unwrap();
    assert_eq!(params, encode(&("apple".to_owned(), 300_u32)));
}

#[test]
fn results_become_text() {
    let print = |bytes: &'static [u8]| print_results(&add(), &bytes.into()).unwrap();
    assert_eq!(print(&[0, 5]), "ok(5)");
    assert_eq!(print(&[1, 0]), "err(full)");
    assert_eq!(print(&[1, 1, 1, b'x']), "err(other(\"x\"))");
    assert_eq!(print_results(&function(&[], None), &[][..].into()).unwrap(), "");
}

#[test]
fn errors_show_the_signature() {
    assert_eq!(refusal(&[]), format!("add takes 2 arguments, not 0: {SIGNATURE}"));
    assert_eq!(
        refusal(&["apple", "1"]),
        format!("`apple` is no string for `item` (a string needs quotes: '\"...\"'): {SIGNATURE}")
    );
    assert_eq!(refusal(&["\"apple\"", "-1"]), format!("`-1` is no u32 for `count`: {SIGNATURE}"));
}

#[test]
fn handle_is_its_token() {
    let bucket = Type::Own("wasi:keyvalue/store@0.2.0-draft".parse().unwrap(), "bucket".to_owned());
    let ty = function(&[("self", bucket.clone())], Some(bucket));
    let params = encode_params("same", &ty, &["\"default\""]).unwrap();
    assert_eq!(params[..], *b"\x08\x00default");
    assert_eq!(print_results(&ty, &params).unwrap(), "\"default\"");
}

#[test]
fn streams_have_no_text() {
    let ty = function(&[("body", Type::Stream(Some(Box::new(Type::U8))))], None);
    let refused = encode_params("put", &ty, &["[]"]).unwrap_err();
    assert_eq!(refused.to_string(), "a `stream<u8>` cannot be written as text");
}

#[test]
fn depth_is_bounded() {
    let deep = |levels| (0..levels).fold(Type::U8, |ty, _| Type::Option(Box::new(ty)));
    let print = |levels: u8| {
        let bytes = [1].repeat(levels.into());
        print_results(&function(&[], Some(deep(levels))), &[&bytes[..], &[7]].concat().into())
    };
    assert!(print(64).unwrap().contains("7"));
    assert!(
        matches!(print(65), Err(super::WaveError::Results(error)) if error.fault == Fault::TooDeep)
    );
}
