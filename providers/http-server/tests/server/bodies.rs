//! Large bodies in constant memory: what the sender has made and the receiver has not read is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_server::Limits;
use hyper::body::Incoming;
use wicker_provider::http::Body;

use crate::support::{Running, Zeros, request, start, text};

/// 100 MB, as the promise says.
const SIZE: u64 = 100_000_000;

/// What may be under way at most: the system's socket buffers (10 MB here when it is generous) and our own.
const UNDER_WAY_MAX: u64 = 16_000_000;

enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Body>),
    Http2(hyper::client::conn::http2::SendRequest<Body>),
}

impl Client {
    async fn both(running: &Running) -> [Self; 2] {
        [Self::Http1(running.http1().await), Self::Http2(running.http2().await)]
    }

    async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        match self {
            Self::Http1(client) => client.send_request(request).await.unwrap(),
            Self::Http2(client) => client.send_request(request).await.unwrap(),
        }
    }
}

/// Reads all of `body` and gives its size, and the most that was made and not yet read.
async fn read_against(mut body: Incoming, made: &AtomicU64) -> (u64, u64) {
    let (mut read, mut peak) = (0, 0);
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
        peak = peak.max(made.load(Ordering::SeqCst).saturating_sub(read));
    }
    (read, peak)
}

#[tokio::test]
async fn download_of_100_mb_is_made_as_it_is_read() {
    let running = start(Limits::default()).await;
    for mut client in Client::both(&running).await {
        running.script.made.store(0, Ordering::SeqCst);
        let path = format!("/download/{SIZE}");
        let response = client.send(request(&path, Body::Empty)).await;
        let (read, peak) = read_against(response.into_body(), &running.script.made).await;
        assert_eq!(read, SIZE);
        assert!(peak <= UNDER_WAY_MAX, "{peak} bytes under way");
    }
}

#[tokio::test]
async fn upload_of_100_mb_is_sent_as_it_is_read() {
    let running = start(Limits::default()).await;
    for mut client in Client::both(&running).await {
        running.script.read.store(0, Ordering::SeqCst);
        let made = Arc::new(AtomicU64::new(0));
        let body = Body::new(Zeros { left: SIZE, made: Arc::clone(&made) });
        let answered = client.send(request("/upload", body));
        let peak = AtomicU64::new(0);
        let sample = async {
            while running.script.read.load(Ordering::SeqCst) < SIZE {
                let read = running.script.read.load(Ordering::SeqCst);
                let ahead = made.load(Ordering::SeqCst).saturating_sub(read);
                peak.fetch_max(ahead, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        };
        let (response, ()) = tokio::join!(answered, sample);
        assert_eq!(text(response).await, "read");
        assert_eq!(running.script.read.load(Ordering::SeqCst), SIZE);
        let peak = peak.into_inner();
        assert!(peak <= UNDER_WAY_MAX, "{peak} bytes under way");
    }
}

#[tokio::test]
async fn body_streams_in_and_out_at_once() {
    let running = start(Limits::default()).await;
    for mut client in Client::both(&running).await {
        let made = Arc::new(AtomicU64::new(0));
        let body = Body::new(Zeros { left: SIZE, made: Arc::clone(&made) });
        let response = client.send(request("/echo", body)).await;
        let (read, peak) = read_against(response.into_body(), &made).await;
        assert_eq!(read, SIZE);
        assert!(peak <= 2 * UNDER_WAY_MAX, "{peak} bytes under way");
    }
}
