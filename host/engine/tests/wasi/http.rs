//! Requests to components.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use wicker_lattice::call::{ByteStream, Call, Invoke as _, LinkRef, Status};
use wicker_lattice::http::{RequestHead, decode_response, encode_request, interface, type_hash};
use wicker_lattice::id::CallId;

use crate::support::{PATIENCE, Stage, eventually, stage, stage_with, text};

const CHUNK: Bytes = Bytes::from_static(&[7; 64 << 10]);

/// What may be under way between a body that is sent and one that is read: a few chunks in each channel.
const UNDER_WAY_MAX: u64 = 2 << 20;

/// Bodies of `chunks` chunks, and how many bytes were taken from them.
fn upload(
    chunks: usize,
) -> (impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let frames = futures::stream::repeat(CHUNK).take(chunks).map(move |chunk| {
        count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        Ok(Frame::data(chunk))
    });
    (StreamBody::new(frames), taken)
}

/// Sends `chunks` chunks to an echo and reads them back, never more than [`UNDER_WAY_MAX`] behind.
async fn echo_in_constant_memory(stage: &Stage, path: &str, chunks: usize) {
    let (body, taken) = upload(chunks);
    let request = Request::post(path).header("host", "a").body(body).unwrap();
    let mut response = stage.send(request).await.unwrap();
    assert!(taken.load(Ordering::Relaxed) <= UNDER_WAY_MAX, "read ahead of the reader");
    let mut read = 0;
    while let Some(frame) = response.body_mut().frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.iter().all(|byte| *byte == 7));
        read += data.len() as u64;
        assert!(taken.load(Ordering::Relaxed) - read <= UNDER_WAY_MAX, "read ahead of the reader");
    }
    assert_eq!(read, (chunks * CHUNK.len()) as u64);
}

#[tokio::test]
async fn a_small_response_comes_in_one_piece() {
    let stage = stage("http-hello").await;
    let response = stage.get("/").await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.body().size_hint().exact(), Some(24));
    assert_eq!(text(response).await, "Hello from a component!\n");
    assert_eq!(stage.actor.stats().calls, 1);
}

#[tokio::test]
async fn a_guest_sees_the_request_as_it_was_sent() {
    let stage = stage("http-echo").await;
    let body = Full::new(Bytes::from_static(b"body"));
    let sum = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("4"))]);
    let body = body.with_trailers(std::future::ready(Some(Ok(sum.clone()))));
    let request = Request::put("/a/b?c=d").header("host", "x.example").header("x-kind", "test");
    let response = stage.send(request.body(body).unwrap()).await.unwrap();
    for (name, value) in [
        ("x-method", "Method::Put"),
        ("x-path", "/a/b?c=d"),
        ("x-authority", "x.example"),
        ("x-kind", "test"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&sum));
    assert_eq!(body.to_bytes(), "body");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways_in_constant_memory() {
    echo_in_constant_memory(&stage("http-echo").await, "/", 640).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_of_wasi_0_3_are_served_too() {
    let stage = stage("http-async").await;
    let response = stage.get("/").await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(text(response).await, "Hello from an async component!\n");
    echo_in_constant_memory(&stage, "/echo", 320).await;
    echo_in_constant_memory(&stage, "/copy", 320).await;
    eventually("all have ended", || stage.actor.stats().running == 0).await;
}

#[tokio::test]
async fn an_error_code_in_place_of_a_response_becomes_a_status() {
    let stage = stage("http-async").await;
    let response = stage.get("/error").await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(stage.log.count("request loop detected"), 1);
}

#[tokio::test]
async fn dropping_the_response_stops_the_guest() {
    let stage = stage("http-misbehave").await;
    let mut response = stage.get("/endless").await.unwrap();
    assert!(response.body_mut().frame().await.is_some());
    assert_eq!(stage.actor.stats().running, 1);
    drop(response);
    assert_eq!(stage.actor.stats().running, 0);
}

#[tokio::test]
async fn dropping_the_request_stops_the_guest() {
    for (guest, path) in [("http-misbehave", "/sleep"), ("http-async", "/sleep")] {
        let stage = stage(guest).await;
        let mut request = Box::pin(stage.get(path));
        while stage.actor.stats().running == 0 {
            assert!(poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx))).await.is_pending());
            tokio::task::yield_now().await;
        }
        drop(request);
        assert_eq!(stage.actor.stats().running, 0);
    }
}

#[tokio::test]
async fn work_after_the_response_is_done_before_the_actor_has_drained() {
    let stage = stage("http-misbehave").await;
    assert_eq!(stage.text("/late").await, "first");
    stage.actor.drain().await;
    assert_eq!(stage.log.count("late work done"), 1);
    assert_eq!(stage.get("/").await.unwrap_err().status, Status::Draining);
}

#[tokio::test]
async fn a_body_that_its_guest_gave_up_is_no_complete_body() {
    let stage = stage("http-misbehave").await;
    assert_eq!(stage.get("/unfinished").await.unwrap_err().status, Status::Trapped);
}

#[tokio::test]
async fn a_component_that_answers_no_http_says_so() {
    let stage = stage("command").await;
    let error = stage.get("/").await.unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert!(error.message.contains("does not answer HTTP"), "{error}");
}

#[tokio::test]
async fn requests_are_answered_over_a_link_too() {
    for guest in ["http-hello", "http-async"] {
        let stage = stage(guest).await;
        let head =
            RequestHead { path_with_query: Some("/".parse().unwrap()), ..RequestHead::default() };
        let reply = stage.actor.invoke(call(encode_request(&head))).await.unwrap();
        let head = decode_response(&reply.results).unwrap().unwrap();
        assert_eq!(head.status, StatusCode::OK);
        let [body, trailers] = <[_; 2]>::try_from(reply.streams).unwrap();
        let chunks: Vec<_> = body.map(Result::unwrap).collect().await;
        assert!(String::from_utf8(chunks.concat()).unwrap().starts_with("Hello from a"));
        assert_eq!(trailers.count().await, 0);
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_before_a_guest_runs() {
    let stage = stage("http-hello").await;
    let error = stage.actor.invoke(call(Bytes::from_static(b"\xff"))).await.unwrap_err();
    assert_eq!(error.status, Status::BadFrame);
    let mut other = call(Bytes::new());
    other.type_hash.0[0] ^= 1;
    assert_eq!(stage.actor.invoke(other).await.unwrap_err().status, Status::TypeMismatch);
    let mut other = call(Bytes::new());
    other.function = "run".into();
    assert_eq!(stage.actor.invoke(other).await.unwrap_err().status, Status::NotFound);
    assert_eq!(stage.actor.stats().calls, 0);
}

fn call(params: Bytes) -> Call {
    Call {
        id: CallId::generate(),
        target: "default/tests/target".parse().unwrap(),
        source: "default/tests/source".parse().unwrap(),
        link: LinkRef { name: "default".into(), revision: 0 },
        interface: interface(),
        function: "handle".into(),
        type_hash: type_hash(),
        deadline: tokio::time::Instant::now() + PATIENCE,
        trace: None,
        fence: None,
        params,
        streams: vec![ByteStream::from_bytes(Bytes::new()), ByteStream::from_bytes(Bytes::new())],
    }
}

#[tokio::test]
async fn a_full_actor_answers_overloaded_at_once() {
    let stage = stage_with("http-misbehave", wicker_lattice::link::Links::default(), |config| {
        (config.limits.concurrency, config.limits.queue) = (1, 0);
    })
    .await;
    let streaming = stage.get("/endless").await.unwrap();
    assert_eq!(stage.get("/").await.unwrap_err().status, Status::Overloaded);
    drop(streaming);
    assert_eq!(stage.text("/").await, "first");
}
