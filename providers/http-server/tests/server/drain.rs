//! A server that stops loses no request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_server::{DrainError, Limits, Listener};
use hyper::client::conn::{http1, http2};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wicker_provider::http::Body;

use crate::support::{PATIENCE, Running, Script, exchange, local, request, start, text};

/// Sends one request after the other until the server takes no more; counts what was sent and what was answered.
async fn load_http1(mut client: http1::SendRequest<Body>) -> (u64, u64) {
    let (mut sent, mut answered) = (0, 0);
    while client.ready().await.is_ok() {
        sent += 1;
        match client.try_send_request(request("/", Body::Empty)).await {
            Ok(response) => {
                assert_eq!(text(response).await, "hello");
                answered += 1;
            }
            // Given back: the client saw the end before it wrote a byte.
            Err(mut error) => sent -= u64::from(error.take_message().is_some()),
        }
    }
    (sent, answered)
}

async fn load_http2(mut client: http2::SendRequest<Body>) -> (u64, u64) {
    let (mut sent, mut answered) = (0, 0);
    while client.ready().await.is_ok() {
        sent += 1;
        match client.try_send_request(request("/", Body::Empty)).await {
            Ok(response) => {
                assert_eq!(text(response).await, "hello");
                answered += 1;
            }
            // GOAWAY names the last stream that was taken: what comes after it is the client's to send again.
            Err(mut error) => {
                let is_unsent = error.take_message().is_some() || is_go_away(error.error());
                sent -= u64::from(is_unsent);
            }
        }
    }
    (sent, answered)
}

fn is_go_away(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.and_then(|cause| cause.downcast_ref()).is_some_and(h2::Error::is_go_away)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_under_load_loses_nothing() {
    let running = start(Limits::default()).await;
    let (done, mut counts) = mpsc::channel(64);
    for i in 0..32 {
        let done = done.clone();
        if i % 4 == 0 {
            let client = running.http2().await;
            running
                .tasks
                .spawn_work(async move { done.send(load_http2(client).await).await.unwrap() });
        } else {
            let client = running.http1().await;
            running
                .tasks
                .spawn_work(async move { done.send(load_http1(client).await).await.unwrap() });
        }
    }
    drop(done);
    while running.script.started.load(Ordering::SeqCst) < 2000 {
        tokio::task::yield_now().await;
    }
    running.server.drain(PATIENCE).await.unwrap();
    let (mut sent, mut answered, mut clients) = (0, 0, 0);
    while let Some(count) = counts.recv().await {
        sent += count.0;
        answered += count.1;
        clients += 1;
    }
    assert_eq!(clients, 32);
    assert_eq!(answered, sent);
    assert_eq!(answered, running.script.started.load(Ordering::SeqCst));
}

#[tokio::test]
async fn connections_that_were_not_accepted_yet_are_answered() {
    let listener = Listener::bind(local()).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = TcpStream::connect(listener.address()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        clients.push(client);
    }
    let server = listener.serve(Arc::new(Script::default()));
    let address = server.address();
    let answers = async {
        for client in &mut clients {
            let answer = exchange(client, b"").await;
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert!(answer.ends_with("hello"), "{answer}");
        }
    };
    let (drained, ()) = tokio::join!(server.drain(PATIENCE), answers);
    drained.unwrap();
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn request_in_flight_is_finished_after_the_socket_is_closed() {
    let running = start(Limits::default()).await;
    let (mut one, mut two) = (running.http1().await, running.http2().await);
    let Running { script, server, tasks: _tasks } = running;
    let address = server.address();
    let first = one.send_request(request("/wait", Body::Empty));
    let second = two.send_request(request("/wait", Body::Empty));
    let drain = async {
        while script.started.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let release = async {
            while TcpStream::connect(address).await.is_ok() {}
            script.permits.add_permits(2);
        };
        tokio::join!(server.drain(PATIENCE), release).0.unwrap();
    };
    let (first, second, ()) = tokio::join!(first, second, drain);
    let first = first.unwrap();
    assert_eq!(first.headers()["connection"], "close");
    assert_eq!(text(first).await, "waited");
    assert_eq!(text(second.unwrap()).await, "waited");
}

#[tokio::test]
async fn client_that_never_ends_is_cut_after_the_grace_period_and_counted() {
    let running = start(Limits::default()).await;
    let mut client = running.http1().await;
    let grace = Duration::from_millis(100);
    let drain = async {
        while running.script.started.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        running.server.drain(grace).await
    };
    let wait = client.send_request(request("/wait", Body::Empty));
    let (answer, drained) = tokio::join!(wait, drain);
    assert_eq!(drained, Err(DrainError { cut: 1, grace }));
    answer.unwrap_err();
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_drain() {
    let running = start(Limits::default()).await;
    let mut idle = running.http1().await;
    assert_eq!(text(idle.send_request(request("/", Body::Empty)).await.unwrap()).await, "hello");
    let _fresh = running.connect().await;
    running.server.drain(PATIENCE).await.unwrap();
}
