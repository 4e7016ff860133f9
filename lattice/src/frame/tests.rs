//! What is written reads back, and nothing else does.

use bytes::Bytes;

use super::*;
use crate::call::{DEFAULT_LINK, Status, TraceContext};
use crate::id::CallId;
use crate::types::TypeHash;

fn request() -> Request {
    Request {
        type_hash: TypeHash([1, 2, 3, 4, 5, 6, 7, 8]),
        call: CallId::from_bytes([9; 16]),
        budget_ms: 10_000,
        credit: 1 << 20,
        source: "default/a/b".parse().unwrap(),
        link: DEFAULT_LINK.into(),
        link_revision: 7,
        trace: None,
        fence: None,
        heads: Vec::new(),
        params: Value::Whole(Bytes::from_static(b"params")),
    }
}

#[test]
fn request_reads_back_as_written() {
    let trace = Some(TraceContext { trace_id: [3; 16], span_id: [4; 8], flags: 1 });
    let heads = vec![Head { bytes: Bytes::from_static(b"he"), is_all: true }, Head::default()];
    for request in [
        request(),
        Request { trace, link: "other".into(), ..request() },
        Request { heads: heads.clone(), ..request() },
        Request { heads, params: Value::Parts(2_000_000), ..request() },
    ] {
        assert_eq!(request.encode().len(), request.encoded_len());
        assert_eq!(Request::decode(request.encode()), Ok(request));
    }
}

#[test]
fn frames_read_back_as_written() {
    let stream = StreamNumber::of_results(0);
    let results = Value::Whole(Bytes::from_static(b"r"));
    let failed = Outcome::Failed { status: Status::Trapped, message: "unreachable".to_owned() };
    for frame in [
        Frame::Reply(Reply { load: 3, outcome: Outcome::Results { heads: vec![], results } }),
        Frame::Reply(Reply { load: 0, outcome: failed }),
        Frame::Accept { load: 1 },
        Frame::Beat { load: 255 },
        Frame::Cancel,
        Frame::Chunk { stream, is_end: true, sequence: 5, bytes: Bytes::from_static(b"abc") },
        Frame::Abort { stream, sequence: 6, message: "disk".to_owned() },
        Frame::Credit { stream, limit: 1 << 40 },
        Frame::Stop { stream },
        Frame::Pulse { stream, sequence: 9 },
    ] {
        assert_eq!(frame.encode().len(), frame.encoded_len());
        assert_eq!(Frame::decode(frame.encode()), Ok(frame));
    }
}

#[test]
fn statuses_read_back_as_written() {
    let codes: Vec<u8> = (1..=13).collect();
    assert!(codes.iter().all(|code| status_from_code(*code).map(status_code) == Some(*code)));
    assert_eq!(status_from_code(0), None);
    assert_eq!(status_from_code(14), None);
}

#[test]
fn every_cut_of_a_request_header_is_refused() {
    let whole = request().encode();
    let header = whole.len() - b"params".len();
    for len in 0..header {
        assert_eq!(Request::decode(whole.slice(..len)), Err(FrameError::Short), "{len}");
    }
}

#[test]
fn unknown_versions_kinds_and_flags_are_refused() {
    assert_eq!(Frame::decode(Bytes::from_static(&[2, 3, 0])), Err(FrameError::Version(2)));
    assert_eq!(Frame::decode(Bytes::from_static(&[1, 99])), Err(FrameError::Kind(99)));
    assert_eq!(Frame::decode(Bytes::from_static(&[1, 5, 0])), Err(FrameError::Trailing));
    let reply = [1, 2, 0x80, 0, 0, 0];
    assert_eq!(Frame::decode(Bytes::copy_from_slice(&reply)), Err(FrameError::Code(0x80)));
}
