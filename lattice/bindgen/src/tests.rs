//! Expansions against their golden files, and errors that name the WIT.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;

fn expanded(arguments: TokenStream) -> Result<String, String> {
    let input = syn::parse2(arguments).map_err(|error| error.to_string())?;
    let tokens = expand(&input).map_err(|error| error.to_string())?;
    let file = syn::parse2(tokens).map_err(|error| error.to_string())?;
    Ok(prettyplease::unparse(&file))
}

fn refusal(wit: &str, interface: &str) -> String {
    expanded(quote!({ inline: #wit, interfaces: [#interface] })).unwrap_err()
}

/// `UPDATE_GOLDEN=1` writes the file anew.
fn assert_golden(file: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{file} differs; run with UPDATE_GOLDEN=1 and look at the change:\n{actual}"
    );
}

#[test]
fn every_kind_of_type_has_its_rust_form() {
    let wit = include_str!("../tests/golden/types.wit");
    let expanded =
        expanded(quote!({ inline: #wit, interfaces: ["demo:types/all@1.2.3"] })).unwrap();
    assert_golden("types.rs", &expanded);
}

#[test]
fn interfaces_that_share_a_resource_share_its_type() {
    let wit = include_str!("../tests/golden/resources.wit");
    let expanded = expanded(quote!({ inline: #wit, interfaces: ["demo:shelf/swap"] })).unwrap();
    assert_golden("resources.rs", &expanded);
}

#[test]
fn streams_of_bytes_are_parameters_results_and_parts_of_them() {
    let wit = include_str!("../tests/golden/streams.wit");
    let expanded = expanded(quote!({ inline: #wit, interfaces: ["demo:streams/files"] })).unwrap();
    assert_golden("streams.rs", &expanded);
}

#[test]
fn unknown_interface_is_named_with_those_that_there_are() {
    assert_eq!(
        refusal("package a:b@1.0.0; interface c {} interface d {}", "a:b/e@1.0.0"),
        "there is no interface `a:b/e@1.0.0` in this WIT; there are: a:b/c@1.0.0, a:b/d@1.0.0"
    );
}

#[test]
fn type_that_cannot_cross_a_link_is_named_with_its_function() {
    let stream = "package a:b; interface c { read: func() -> stream<u16>; }";
    assert_eq!(
        refusal(stream, "a:b/c"),
        "function `read` of a:b/c: a `stream` of anything but `u8` cannot cross a link"
    );
    let future = "package a:b; interface c { record r { later: future<u8> } get: func() -> r; }";
    assert_eq!(refusal(future, "a:b/c"), "type `r` of a:b/c: a `future` cannot cross a link");
    let borrow = "package a:b; interface c { resource r; all: func(of: list<borrow<r>>); }";
    assert_eq!(
        refusal(borrow, "a:b/c"),
        "function `all` of a:b/c: a borrowed handle inside a value; only a parameter can be one"
    );
}

#[test]
fn names_that_rust_cannot_tell_apart_are_refused() {
    let ty = "package a:b; interface problem { enum problem { one } get: func() -> problem; }";
    assert_eq!(
        refusal(ty, "a:b/problem"),
        "type `problem` of a:b/problem: would be called `Problem`, like its trait"
    );
    let function =
        "package a:b; interface c { resource r { constructor(); new: static func() -> r; } }";
    assert_eq!(
        refusal(function, "a:b/c"),
        "function `[static]r.new` of a:b/c: another one would be called `r_new` too"
    );
}

#[test]
fn wit_that_cannot_be_read_is_an_error_where_it_stands() {
    let error = refusal("package a:b; interface c { get: func() -> nothing; }", "a:b/c");
    assert!(error.contains("nothing"), "{error}");
    let missing = expanded(quote!({ path: "no/such.wit", interfaces: [] })).unwrap_err();
    assert!(missing.contains("no/such.wit"), "{missing}");
}

#[test]
fn unknown_argument_is_refused() {
    let error = expanded(quote!({ paht: "x" })).unwrap_err();
    assert_eq!(error, "unknown field `paht`: expected `path`, `inline` or `interfaces`");
}
