//! HTTP heads, errors and trailers over the wire and back.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::*;
use crate::call::ByteStream;
use crate::value::{Encode as _, Fault, Writer};

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append("set-cookie", HeaderValue::from_static("a=1"));
    headers.append("set-cookie", HeaderValue::from_static("b=2"));
    headers.append("x-bytes", HeaderValue::from_bytes(&[0xff, b' ', 0x80]).unwrap());
    headers
}

#[test]
fn request_reads_back_as_written() {
    let mut request = Request::put("https://example.org:81/a/b?c=d").body(()).unwrap();
    *request.headers_mut() = headers();
    let head = RequestHead::from(request.into_parts().0);
    let read = decode_request(&encode_request(&head)).unwrap();
    assert_eq!(read, head);
    let parts = read.into_parts().unwrap();
    assert_eq!(parts.method, Method::PUT);
    assert_eq!(parts.uri, "https://example.org:81/a/b?c=d");
    assert_eq!(parts.headers, headers());
}

#[test]
fn uri_needs_no_more_parts_than_there_are() {
    for (scheme, authority, path, uri) in [
        (None, None, Some("/x"), "/x"),
        (None, Some("a:1"), None, "a:1"),
        (None, Some("a"), Some("/x"), "http://a/x"),
        (Some("https"), Some("a"), None, "https://a/"),
    ] {
        let head = RequestHead {
            scheme: scheme.map(|text| text.try_into().unwrap()),
            authority: authority.map(|text| text.parse().unwrap()),
            path_with_query: path.map(|text| text.parse().unwrap()),
            ..RequestHead::default()
        };
        assert_eq!(head.uri().unwrap(), uri);
    }
    let scheme = RequestHead { scheme: Some(http::uri::Scheme::HTTP), ..RequestHead::default() };
    assert!(scheme.uri().is_err());
}

#[test]
fn response_reads_back_as_written() {
    let head = ResponseHead { status: StatusCode::NOT_FOUND, headers: headers() };
    assert_eq!(decode_response(&encode_response(&Ok(head.clone()))), Ok(Ok(head)));
    for error in [
        ErrorCode::DnsTimeout,
        ErrorCode::DnsError(DnsError { rcode: Some("NXDOMAIN".to_owned()), info_code: None }),
        ErrorCode::HttpRequestHeaderSize(Some(FieldSize { field_name: None, field_size: Some(9) })),
        ErrorCode::InternalError(None),
    ] {
        let bytes = encode_response(&Err(error.clone()));
        assert_eq!(decode_response(&bytes), Ok(Err(error)));
    }
}

#[test]
fn bytes_that_are_no_http_are_refused() {
    let bytes = encode_request(&RequestHead { headers: headers(), ..RequestHead::default() });
    for len in 0..bytes.len() {
        assert!(decode_request(&bytes.slice(..len)).is_err(), "{len}");
    }
    let spoiled = |from: &[u8], to: &[u8]| {
        let text: Vec<u8> = bytes.to_vec();
        let at = text.windows(from.len()).position(|window| window == from).unwrap();
        let mut text = text;
        text[at..at + to.len()].copy_from_slice(to);
        decode_request(&text.into()).unwrap_err().to_string()
    };
    assert_eq!(spoiled(b"GET", b"G T"), "a text is not the method that it should be at byte 4");
    assert!(spoiled(b"a=1", b"a\n1").contains("header value"));
    assert!(spoiled(b"set-cookie", b"set cookie").contains("header name"));
}

#[tokio::test]
async fn trailers_travel_at_the_end() {
    assert_eq!(read_trailers(trailers_stream(&headers())).await, Ok(headers()));
    assert_eq!(read_trailers(trailers_stream(&HeaderMap::new())).await, Ok(HeaderMap::new()));
    assert!(read_trailers(ByteStream::from_bytes(Bytes::from_static(b"\x07"))).await.is_err());
}

#[cfg(feature = "wit")]
#[test]
fn wit_says_the_same() {
    let wit = include_str!("../../../wit/wicker-http/handler.wit");
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_source("handler.wit", wit).unwrap();
    let id = resolve.packages[package].interfaces["handler"];
    assert_eq!(crate::types::from_wit::name(&resolve, id).unwrap().key(), interface());
    assert_eq!(crate::types::from_wit::functions(&resolve, id).unwrap(), functions());
}

#[test]
fn path_that_would_be_written_otherwise_is_refused() {
    for path in ["/a#b", "#", ""] {
        let mut writer = Writer::new();
        writer.put_str("GET");
        (None::<&str>, None::<&str>, Some(path)).encode(&mut writer);
        writer.put_len(0);
        writer.put_stream();
        writer.put_stream();
        let error = decode_request(&writer.finish()).unwrap_err();
        assert_eq!(error.fault, Fault::NotA("path"), "{path}");
    }
}
