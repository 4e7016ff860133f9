//! Golden vectors: text files that any language can test itself against.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use wicker_lattice::call::{Status, TraceContext};
use wicker_lattice::escape;
use wicker_lattice::frame::{
    Frame, Head, Outcome, REQUEST_HEADER_BYTES_MAX, Reply, Request, StreamNumber, Value,
    status_from_code,
};
use wicker_lattice::http::{self, ErrorCode, RequestHead, ResponseHead};
use wicker_lattice::id::CallId;
use wicker_lattice::release;
use wicker_lattice::types::{Type, TypeHash, from_wit};
use wicker_lattice::wave;

use crate::values::same;

const WIT: &str = include_str!("../golden/sample.wit");

/// `lines` are what the file says; or it is written, if `UPDATE_GOLDEN` is set.
fn check(file: &str, about: &str, lines: &[[String; 2]]) {
    let mut text = format!("# {about}\n");
    for [what, bytes] in lines {
        writeln!(text, "{what}\t{bytes}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{}", path.display());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn types_hash_as_they_did() {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_source("sample.wit", WIT).unwrap();
    let mut lines = Vec::new();
    for (_, id) in &resolve.packages[package].interfaces {
        for (name, ty) in from_wit::functions(&resolve, *id).unwrap() {
            lines.push([format!("{name}\t{ty}"), ty.hash().to_string()]);
        }
    }
    let http = http::function_type();
    lines.push([format!("{}\t{http}", http::HANDLE), http.hash().to_string()]);
    check(
        "types.txt",
        "functions of sample.wit and wicker:http: name, canonical form, hash",
        &lines,
    );
}

#[test]
fn values_have_the_bytes_they_had() {
    let string = || Box::new(Type::String);
    let names = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let record = vec![("name".to_owned(), Type::String), ("age".to_owned(), Type::U8)];
    let variant = vec![("empty".to_owned(), None), ("text".to_owned(), Some(Type::String))];
    let result = Type::Result { ok: Some(Box::new(Type::U8)), err: Some(string()) };
    let bucket = Type::Own("wasi:keyvalue/store@0.2.0-draft".parse().unwrap(), "bucket".to_owned());
    let vectors: &[(Type, &[&str])] = &[
        (Type::Bool, &["true", "false"]),
        (Type::U8, &["0", "255"]),
        (Type::S8, &["-1", "-128"]),
        (Type::U16, &["127", "128", "65535"]),
        (Type::U32, &["4294967295"]),
        (Type::U64, &["18446744073709551615"]),
        (Type::S16, &["63", "64", "-64", "-65"]),
        (Type::S32, &["-2147483648"]),
        (Type::S64, &["9223372036854775807", "-9223372036854775808"]),
        (Type::F32, &["1.5", "-inf", "nan"]),
        (Type::F64, &["-0.1", "nan"]),
        (Type::Char, &["'a'", "'ß'", "'🦀'"]),
        (Type::String, &["\"\"", "\"grüße\""]),
        (Type::List(Box::new(Type::U16)), &["[]", "[1, 300]"]),
        (Type::List(Box::new(Type::U8)), &["[1, 2, 255]"]),
        (Type::Record(record), &["{name: \"ann\", age: 7}"]),
        (Type::Tuple(vec![Type::U8, Type::String]), &["(1, \"x\")"]),
        (Type::Variant(variant), &["empty", "text(\"x\")"]),
        (Type::Enum(names("red green blue")), &["red", "blue"]),
        (Type::Flags(names("a b c d e f g h i")), &["{}", "{a, c}", "{b, i}"]),
        (Type::Option(string()), &["none", "some(\"x\")"]),
        (result, &["ok(5)", "err(\"no\")"]),
        (bucket, &["\"default\""]),
    ];
    let mut lines = Vec::new();
    for (ty, texts) in vectors {
        for text in *texts {
            let bytes = wave::encode_params("same", &same(ty), &[text]).unwrap();
            assert_eq!(wave::print_results(&same(ty), &bytes).unwrap(), *text);
            lines.push([format!("{ty}\t{text}"), hex(&bytes)]);
        }
    }
    check("values.txt", "one value each: type, WAVE (of a handle: its token), bytes", &lines);
}

#[test]
fn names_are_escaped_as_they_were() {
    let names = ["wasi:keyvalue/store@0.2.0-draft", "[method]bucket.get", "a_b", "ß", "*", "a b"];
    let lines = names.map(|name| [name.to_owned(), escape::print(name)]);
    check("escape.txt", "names and their tokens", &lines);
}

fn request() -> Request {
    Request {
        type_hash: TypeHash([1, 2, 3, 4, 5, 6, 7, 8]),
        call: CallId::from_bytes([9; 16]),
        budget_ms: 10_000,
        credit: 1 << 20,
        source: "default/shop/cart".parse().unwrap(),
        link: "default".into(),
        link_revision: 7,
        trace: None,
        fence: None,
        heads: Vec::new(),
        params: Value::Whole(Bytes::from_static(b"params")),
    }
}

#[test]
fn frames_have_the_bytes_they_had() {
    let trace = Some(TraceContext { trace_id: [0xaa; 16], span_id: [0xbb; 8], flags: 1 });
    let heads = vec![
        Head { bytes: Bytes::from_static(b"all"), is_all: true },
        Head { bytes: Bytes::new(), is_all: false },
    ];
    let requests = [
        ("request", request()),
        (
            "request, traced, over link `audit`",
            Request { trace, link: "audit".into(), ..request() },
        ),
        ("request of a singleton", Request { fence: Some(0x0102_0304), ..request() }),
        ("request with two streams", Request { heads: heads.clone(), ..request() }),
        (
            "request whose parameters follow",
            Request { params: Value::Parts(2_000_000), ..request() },
        ),
    ];
    let reply = |outcome| Frame::Reply(Reply { load: 3, outcome });
    let results = Value::Whole(Bytes::from_static(b"results"));
    let message = "unreachable executed".to_owned();
    let (written, read) = (StreamNumber::of_params(0), StreamNumber::of_results(1));
    let bytes = Bytes::from_static(b"chunk");
    let frames = [
        ("reply", reply(Outcome::Results { heads: Vec::new(), results: results.clone() })),
        ("reply with two streams", reply(Outcome::Results { heads, results })),
        (
            "reply whose results follow",
            reply(Outcome::Results { heads: vec![], results: Value::Parts(300) }),
        ),
        ("reply, trapped", reply(Outcome::Failed { status: Status::Trapped, message })),
        ("accept", Frame::Accept { load: 3 }),
        ("beat", Frame::Beat { load: 3 }),
        ("cancel", Frame::Cancel),
        (
            "chunk",
            Frame::Chunk { stream: written, is_end: false, sequence: 5, bytes: bytes.clone() },
        ),
        (
            "chunk, the last of the results",
            Frame::Chunk { stream: StreamNumber::RESULTS, is_end: true, sequence: 6, bytes },
        ),
        ("abort", Frame::Abort { stream: written, sequence: 7, message: "disk full".to_owned() }),
        ("credit", Frame::Credit { stream: read, limit: 3 << 20 }),
        ("stop", Frame::Stop { stream: read }),
        ("pulse", Frame::Pulse { stream: read, sequence: 8 }),
    ];
    let requests = requests.map(|(name, request)| [name.to_owned(), hex(&request.encode())]);
    let frames = frames.map(|(name, frame)| [name.to_owned(), hex(&frame.encode())]);
    check("frames.txt", "frames and their bytes", &[&requests[..], &frames[..]].concat());
}

#[test]
fn http_has_the_bytes_it_had() {
    let request = ::http::Request::get("http://example.org/a?b=c").header("accept", "*/*");
    let request = RequestHead::from(request.body(()).unwrap().into_parts().0);
    let response = ::http::Response::builder().status(201).header("x-bytes", &b"\xff"[..]);
    let response = ResponseHead::from(response.body(()).unwrap().into_parts().0);
    let errors = [
        ErrorCode::ConnectionRefused,
        ErrorCode::HttpRequestBodySize(Some(300)),
        ErrorCode::InternalError(Some("x".to_owned())),
    ];
    let mut lines = vec![
        [
            "GET http://example.org/a?b=c, accept: */*".to_owned(),
            hex(&http::encode_request(&request)),
        ],
        ["201, x-bytes: 0xff".to_owned(), hex(&http::encode_response(&Ok(response.clone())))],
        ["trailers x-bytes: 0xff".to_owned(), hex(&http::encode_trailers(&response.headers))],
    ];
    for error in errors {
        lines.push([error.to_string(), hex(&http::encode_response(&Err(error)))]);
    }
    check("http.txt", "parameters and results of wicker:http/handler.handle, and trailers", &lines);
}

/// The numbers that docs/protocol.md spells out are the ones that the code has.
#[test]
fn document_says_what_the_code_does() {
    let document = include_str!("../../../docs/protocol.md");
    let says = |text: &str| assert!(document.contains(text), "docs/protocol.md lacks `{text}`");
    for (code, status) in (1..=13).filter_map(|code| Some((code, status_from_code(code)?))) {
        says(&format!("| {code} | `{status}` |"));
    }
    says(&format!("`handle`; hash `{}`", http::type_hash()));
    says(&format!("less {REQUEST_HEADER_BYTES_MAX} bytes of header"));
    says(&format!("    function {}     func(handles:list<list<u8>>,)", release::FUNCTION));
    says(&format!("type hash {}", release::type_hash()));
    let types = include_str!("../golden/types.txt");
    for line in document.lines().filter_map(|line| line.strip_prefix("    func(")) {
        if let Some((form, hash)) = line.rsplit_once(' ')
            && hash.len() == 16
        {
            let vector = format!("\tfunc({}\t{hash}\n", form.trim_end());
            assert!(types.contains(&vector), "no golden vector says {vector}");
        }
    }
}
