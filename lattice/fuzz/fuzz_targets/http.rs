//! Any bytes as the parameters, results or trailers of HTTP over a link.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wicker_lattice::http;

fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(head) = http::decode_request(&bytes) {
        assert_eq!(http::decode_request(&http::encode_request(&head)), Ok(head));
    }
    if let Ok(answer) = http::decode_response(&bytes) {
        assert_eq!(http::decode_response(&http::encode_response(&answer)), Ok(answer));
    }
    if let Ok(trailers) = http::decode_trailers(&bytes) {
        assert_eq!(http::decode_trailers(&http::encode_trailers(&trailers)), Ok(trailers));
    }
});
