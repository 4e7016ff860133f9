//! How a process is told that pinned handles were dropped which it keeps: one call for any number of them.
//!
//! A function that every interface has whose owner gives out pinned handles, called like any other: through the link
//! that the handles came by, at the process that keeps them. WIT knows it as the drop of a resource; one for all
//! resources of a provider does, because a handle says by itself what it is.

use std::sync::LazyLock;

use crate::types::{FunctionType, Type, TypeHash};

/// The name of the function. No function of WIT's has one that consists of brackets alone.
pub const FUNCTION: &str = "[drop]";

static TYPE: LazyLock<(FunctionType, TypeHash)> = LazyLock::new(|| {
    let handles = Type::List(Box::new(Type::List(Box::new(Type::U8))));
    let params = vec![("handles".to_owned(), handles)];
    let ty = FunctionType { params, result: None, is_async: false };
    let hash = ty.hash();
    (ty, hash)
});

/// Its signature, `func(handles: list<list<u8>>)`: a handle is a `list<u8>`. What is not kept, or not for the caller, is
/// passed over: to drop twice is to drop once.
#[must_use]
pub fn type_hash() -> TypeHash {
    TYPE.1
}
