//! What one client can occupy, and for how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wicker_provider::http::Body;

use crate::support::{PATIENCE, exchange, request, start, text};

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn head_that_is_too_large_is_answered_with_431() {
    let running = start(Limits { header_bytes: 4096, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx-large: {}\r\n\r\n", "x".repeat(5000));
    let answer = exchange(&mut stream, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(running.script.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn head_that_does_not_end_is_cut() {
    let running = start(Limits { header_timeout: SOON, ..Limits::default() }).await;
    for start in ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = running.connect().await;
        assert_eq!(exchange(&mut stream, start.as_bytes()).await, "", "{start}");
    }
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let running = start(Limits { idle_timeout: SOON, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    let answer = exchange(&mut stream, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn upload_that_stalls_is_cut_and_the_target_learns_it() {
    let running = start(Limits { stall_timeout: SOON, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    let head = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfour";
    assert_eq!(exchange(&mut stream, head).await, "");
    timeout(PATIENCE, async {
        while running.server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(running.script.read.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn client_that_does_not_read_is_cut_and_stops_the_target() {
    let running = start(Limits { stall_timeout: SOON, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    let size: u64 = 1 << 40;
    let head = format!("GET /download/{size} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The head of the answer proves that it began.
    stream.read_exact(&mut [0; 4]).await.unwrap();
    timeout(PATIENCE, async {
        while running.server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(running.script.made.load(Ordering::SeqCst) < size);
}

#[tokio::test]
async fn target_that_takes_its_time_is_not_cut() {
    let limits = Limits {
        header_timeout: SOON,
        idle_timeout: SOON,
        stall_timeout: SOON,
        ..Limits::default()
    };
    let running = start(limits).await;
    let mut client = running.http1().await;
    let answer = client.send_request(request("/wait", Body::Empty));
    let release = async {
        // Another client is cut meanwhile, many times over.
        for _ in 0..4 {
            assert_eq!(exchange(&mut running.connect().await, b"").await, "");
        }
        running.script.permits.add_permits(1);
    };
    let (response, ()) = tokio::join!(answer, release);
    assert_eq!(text(response.unwrap()).await, "waited");
}

#[tokio::test]
async fn connections_past_the_limit_wait_their_turn() {
    let running = start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = running.http1().await;
    assert_eq!(text(first.send_request(request("/", Body::Empty)).await.unwrap()).await, "hello");
    let mut second = running.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    first.ready().await.unwrap();
    assert_eq!(text(first.send_request(request("/", Body::Empty)).await.unwrap()).await, "hello");
    assert_eq!(running.server.connections(), 1);
    drop(first);
    assert!(exchange(&mut second, b"").await.ends_with("hello"));
}
