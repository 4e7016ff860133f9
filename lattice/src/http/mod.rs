//! HTTP over a link: one wire interface, [`INTERFACE`], whatever version of `wasi:http` either end speaks.
//!
//! One function, [`HANDLE`]: a request in, a response or an [`ErrorCode`] out. Bodies are the streams [`BODY`], trailers
//! the streams [`TRAILERS`], so a body of any size takes constant memory. Here are the heads, the errors and their
//! encoding; `wit/wicker-http/handler.wit` is the same as WIT. Who turns `wasi:http` into it: the engine. Who serves and
//! calls it without a guest: the providers `http-client` and `http-server`.

mod error_code;
mod fields;
mod head;

use std::sync::LazyLock;

use bytes::Bytes;

use crate::interface::InterfaceKey;
use crate::types::{FunctionType, Functions, Type, TypeHash};
use crate::value::{DecodeError, decode_exact, encode};

pub use error_code::{DnsError, ErrorCode, FieldSize, TlsAlert};
pub use fields::{decode_trailers, encode_trailers, read_trailers, trailers_stream};
pub use head::{RequestHead, ResponseHead};

/// The wire interface.
pub const INTERFACE: &str = "wicker:http/handler@0.1";

/// Its function.
pub const HANDLE: &str = "handle";

/// Index of the body among the streams of a request or response.
pub const BODY: usize = 0;

/// Index of the trailers: a stream that is empty, or is one value of [`encode_trailers`] once the body has ended.
pub const TRAILERS: usize = 1;

/// [`INTERFACE`], parsed.
#[must_use]
pub fn interface() -> InterfaceKey {
    static KEY: LazyLock<Option<InterfaceKey>> = LazyLock::new(|| INTERFACE.parse().ok());
    #[expect(clippy::expect_used, reason = "a constant; a test reads it")]
    KEY.clone().expect("INTERFACE is the key of an interface")
}

/// The functions of [`INTERFACE`].
#[must_use]
pub fn functions() -> Functions {
    Functions::from([(HANDLE.to_owned(), function_type())])
}

/// The hash of [`HANDLE`].
#[must_use]
pub fn type_hash() -> TypeHash {
    static HASH: LazyLock<TypeHash> = LazyLock::new(|| function_type().hash());
    *HASH
}

/// The type of [`HANDLE`].
#[must_use]
pub fn function_type() -> FunctionType {
    FunctionType {
        params: vec![("request".to_owned(), head::request_type())],
        result: Some(Type::Result {
            ok: Some(Box::new(head::response_type())),
            err: Some(Box::new(error_code::ErrorCode::wire_type())),
        }),
        is_async: false,
    }
}

/// The parameters of [`HANDLE`], which refer to two streams: [`BODY`] and [`TRAILERS`].
#[must_use]
pub fn encode_request(request: &RequestHead) -> Bytes {
    encode(request)
}

/// Reads what [`encode_request`] wrote.
///
/// # Errors
/// It is no request, or HTTP has no such method, URI or header.
pub fn decode_request(params: &Bytes) -> Result<RequestHead, DecodeError> {
    decode_exact(params)
}

/// The results of [`HANDLE`]: a response refers to two streams, [`BODY`] and [`TRAILERS`]; an error to none.
#[must_use]
pub fn encode_response(response: &Result<ResponseHead, ErrorCode>) -> Bytes {
    encode(response)
}

/// Reads what [`encode_response`] wrote.
///
/// # Errors
/// It is no response, or HTTP has no such status or header.
pub fn decode_response(results: &Bytes) -> Result<Result<ResponseHead, ErrorCode>, DecodeError> {
    decode_exact(results)
}

#[cfg(test)]
mod tests;
