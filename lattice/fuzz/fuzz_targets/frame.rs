//! Any bytes as a request or frame: refused, or written and read back the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wicker_lattice::frame::{Frame, Request};

fuzz_target!(|bytes: &[u8]| {
    let message = Bytes::copy_from_slice(bytes);
    if let Ok(request) = Request::decode(message.clone()) {
        assert_eq!(Request::decode(request.encode()), Ok(request));
    }
    if let Ok(frame) = Frame::decode(message) {
        assert_eq!(Frame::decode(frame.encode()), Ok(frame));
    }
});
