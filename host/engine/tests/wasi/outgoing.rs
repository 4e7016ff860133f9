//! Requests that components send: over a link, or not at all.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::http::{ErrorCode, encode_response};
use wicker_lattice::link::Links;

use crate::support::{Stage, link, stage, stage_with};

const IMPORTS: [(&str, &str, &str); 2] = [
    ("http-proxy", "/", "wasi:http/outgoing-handler@0.2"),
    ("http-async", "/proxy", "wasi:http/client@0.3"),
];

async fn sends(stage: &Stage, path: &str) -> http::Response<wicker_engine::http::HttpBody> {
    let request =
        Request::post(path).header("host", "a").header("x-target", "http://target.example/a?b");
    stage.send(request.body(Full::new(Bytes::from_static(b"sent on"))).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_where_the_link_leads_whatever_version_either_end_speaks() {
    for (guest, path, import) in IMPORTS {
        let target = stage("http-echo").await.actor;
        let stage = stage_with(guest, link(import, target), |_| {}).await;
        let response = sends(&stage, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{guest} {:?}", response.headers());
        assert_eq!(response.headers()["x-method"], "Method::Post");
        assert_eq!(response.headers()["x-path"], "/a?b");
        assert_eq!(response.headers()["x-authority"], "target.example");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sent on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn middleware_hands_requests_on_over_its_link() {
    let target = stage("http-echo").await.actor;
    let stage = stage_with("http-middleware", link("wasi:http/client@0.3", target), |_| {}).await;
    let links = stage.actor.program().links().iter().map(ToString::to_string);
    assert!(links.collect::<Vec<_>>().contains(&"wasi:http/handler@0.3.0".to_owned()));
    let response = sends(&stage, "/a?b").await;
    assert_eq!(response.headers()["x-path"], "/a?b");
    assert_eq!(response.headers()["x-authority"], "a");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sent on");
}

/// Sends `bytes` to `target` through a guest, and says how many came back and the text of what did.
async fn through(case: (&str, &str, &str), target: &str, chunks: usize) -> (usize, Bytes) {
    const CHUNK: Bytes = Bytes::from_static(&[1; 64 << 10]);
    let (guest, path, import) = case;
    let stage = stage_with(guest, link(import, stage("http-echo").await.actor), |_| {}).await;
    let body = futures::stream::repeat_with(|| Ok::<_, CallError>(Frame::data(CHUNK))).take(chunks);
    let request = Request::post(path).header("host", "a").header("x-target", target);
    let mut response = stage.send(request.body(StreamBody::new(body)).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{guest} {:?}", response.headers());
    let (mut read, mut last) = (0, Bytes::new());
    while let Some(frame) = response.body_mut().frame().await {
        last = frame.unwrap().into_data().unwrap();
        read += last.len();
    }
    (read, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_through_two_components() {
    const MEGABYTES: usize = 16;
    for case in IMPORTS {
        let bytes = MEGABYTES << 20;
        let download = format!("http://target.example/download?{bytes}");
        assert_eq!(through(case, &download, 0).await.0, bytes, "{case:?}");
        let upload = through(case, "http://target.example/upload", MEGABYTES * 16).await;
        assert_eq!(upload.1, bytes.to_string(), "{case:?}");
    }
    let echoed = through(IMPORTS[1], "http://target.example/", MEGABYTES * 16).await;
    assert_eq!(echoed.0, MEGABYTES << 20);
}

#[tokio::test]
async fn without_a_link_it_is_denied_and_the_log_says_what_would_help() {
    let stage_of = |guest| stage_with(guest, Links::default(), |_| {});
    let proxy = stage_of("http-proxy").await;
    for _ in 0..2 {
        let response = sends(&proxy, "/").await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(response.headers()["x-error"].to_str().unwrap().contains("HttpRequestDenied"));
    }
    assert_eq!(proxy.log.count("denied: an outgoing HTTP request"), 1);
    assert_eq!(proxy.log.count("wicker link set default/tests/http-proxy wasi:http@0.2 TARGET"), 1);

    let proxy = stage_of("http-async").await;
    assert_eq!(sends(&proxy, "/proxy").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(proxy.log.count("wicker link set default/tests/http-async"), 1);
}

/// Answers every call alike.
struct Answers(Result<Bytes, CallError>);

impl Invoke for Answers {
    fn invoke(&self, _call: Call) -> Invocation<'_> {
        let answer = self.0.clone().map(|results| Reply { results, streams: Vec::new() });
        Box::pin(std::future::ready(answer))
    }
}

async fn error_of(answer: Result<Bytes, CallError>) -> String {
    let links = link("wasi:http/client@0.3", Arc::new(Answers(answer)));
    let stage = stage_with("http-proxy", links, |_| {}).await;
    let response = sends(&stage, "/").await;
    response.headers()["x-error"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn failures_of_the_link_reach_the_guest_as_its_own_errors() {
    for (status, code) in [
        (Status::Unavailable, "DestinationUnavailable"),
        (Status::Denied, "HttpRequestDenied"),
        (Status::Overloaded, "ConnectionLimitReached"),
        (Status::Deadline, "HttpResponseTimeout"),
        (Status::Lost, "ConnectionTerminated"),
        (Status::Trapped, "InternalError"),
    ] {
        let error = error_of(Err(CallError::new(status, "because"))).await;
        assert!(error.contains(code), "{status}: {error}");
    }
    let error = error_of(Ok(encode_response(&Err(ErrorCode::TlsCertificateError)))).await;
    assert!(error.contains("TlsCertificateError"), "{error}");
    let error = error_of(Ok(Bytes::from_static(b"\xff"))).await;
    assert!(error.contains("InternalError"), "{error}");
}
