//! Components behind a real HTTP server: what drives a body is a connection, and what stops a guest is its loss.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use wicker_engine::Actor;
use wicker_engine::http::Incoming;
use wicker_process::Tasks;

use crate::support::{PATIENCE, eventually, stage};

/// A server with `actor` behind it, until the test ends.
async fn serve(actor: &Arc<Actor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (actor, tasks) = (Arc::clone(actor), Tasks::default());
    let connections = tasks.clone();
    tasks.spawn_work(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            let actor = Arc::clone(&actor);
            let answer = service_fn(move |request| {
                let actor = Arc::clone(&actor);
                async move { actor.http(request, Incoming::default()).await }
            });
            connections.spawn_work(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // A connection that breaks is the client's to notice.
                _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_drives_both_bodies_at_once() {
    const CHUNKS: usize = 320;
    const CHUNK: Bytes = Bytes::from_static(&[3; 64 << 10]);
    for (guest, path) in [("http-echo", "/"), ("http-async", "/echo"), ("http-async", "/copy")] {
        let address = serve(&stage(guest).await.actor).await;
        for is_http2 in [false, true] {
            let client = Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
            let body = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Frame::data(CHUNK)));
            let request = Request::post(format!("http://{address}{path}"));
            let request = request.body(StreamBody::new(body.take(CHUNKS))).unwrap();
            let exchange = async {
                let mut response = client.request(request).await.unwrap();
                let mut read = 0;
                while let Some(frame) = response.body_mut().frame().await {
                    read += frame.unwrap().into_data().unwrap().len();
                }
                read
            };
            let read = timeout(PATIENCE, exchange).await.expect("an end in time");
            assert_eq!(read, CHUNKS * CHUNK.len(), "{guest}{path} http2: {is_http2}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_stops_the_guest() {
    for (guest, path) in [
        ("http-misbehave", "/sleep"),
        ("http-misbehave", "/endless"),
        ("http-misbehave", "/sleep-after-head"),
        ("http-async", "/sleep"),
    ] {
        let stage = stage(guest).await;
        let mut client = TcpStream::connect(serve(&stage.actor).await).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        eventually("the guest runs", || stage.actor.stats().running == 1).await;
        if path != "/sleep" {
            client.read_exact(&mut [0; 50]).await.unwrap();
        }
        drop(client);
        eventually("the guest is stopped", || stage.actor.stats().running == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_response_is_sent_with_its_length() {
    let address = serve(&stage("http-hello").await.actor).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("content-length: 24\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nHello from a component!\n"), "{text}");
}
