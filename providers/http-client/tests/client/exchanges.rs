//! Requests and responses: what servers see, bodies, TLS, failures.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use wicker_provider::http::Body;
use wicker_provider::lattice::call::Status;
use wicker_provider::lattice::http::ErrorCode;

use crate::support::{Client, Running, Zeros, encrypted_site, site, text};

/// What may be under way at most: the system's socket buffers, twice, and ours.
const UNDER_WAY_MAX: u64 = 32_000_000;

async fn client_of(site: &Running) -> (Client, String) {
    let origin = format!("127.0.0.1:{}", site.port());
    (Client::new(&origin).await, format!("http://{origin}"))
}

#[tokio::test]
async fn request_without_body_says_so() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    let seen = text(client.get(&format!("{origin}/describe")).await).await;
    let host = origin.strip_prefix("http://").unwrap();
    assert_eq!(seen, format!("GET HTTP/1.1\nhost {host}\nbody 0\n"));
    let seen = text(client.post(&format!("{origin}/describe"), Body::Empty).await).await;
    assert_eq!(seen, format!("POST HTTP/1.1\nhost {host}\ncontent-length 0\nbody 0\n"));
}

#[tokio::test]
async fn known_length_is_sent_and_unknown_is_chunked() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    let url = format!("{origin}/describe");
    let body = || Body::from(Bytes::from_static(b"seven b"));
    let known = Request::post(&url)
        .header("content-length", "7")
        .header("connection", "x-mine")
        .header("x-mine", "not to travel")
        .header("host", "forged.example")
        .body(body())
        .unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let seen = text(client.send(known).await).await;
    assert_eq!(seen, format!("POST HTTP/1.1\nhost {host}\ncontent-length 7\nbody 7\n"));
    // The server takes `transfer-encoding` off again; that there is no length shows it.
    let seen = text(client.post(&url, body()).await).await;
    assert_eq!(seen, format!("POST HTTP/1.1\nhost {host}\nbody 7\n"));
}

#[tokio::test]
async fn connections_are_used_again() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    for _ in 0..20 {
        assert_eq!(text(client.get(&origin).await).await, "hello");
    }
    assert_eq!(site.server.connections(), 1);
}

#[tokio::test]
async fn bodies_of_100_mb_stream_both_ways() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    let made = Arc::new(AtomicU64::new(0));
    let body = Body::new(Zeros { left: 100_000_000, made: Arc::clone(&made) });
    let response = client.post(&format!("{origin}/echo"), body).await.unwrap().unwrap();
    let (mut body, mut read, mut peak) = (response.into_body(), 0, 0);
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
        peak = peak.max(made.load(Ordering::SeqCst).saturating_sub(read));
    }
    assert_eq!(read, 100_000_000);
    assert!(peak <= UNDER_WAY_MAX, "{peak} bytes under way");
}

#[tokio::test]
async fn download_stops_when_nobody_reads_it() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    let response = client.get(&format!("{origin}/download")).await.unwrap().unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    tokio::time::timeout(Duration::from_secs(60), async {
        while site.server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(site.site.made.load(Ordering::SeqCst) < UNDER_WAY_MAX);
}

#[tokio::test]
async fn trailers_come_after_the_body() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    // HTTP/1.1 carries trailers to those who ask for them.
    let url = format!("{origin}/trailers");
    let request = Request::get(url).header("te", "trailers").body(Body::Empty).unwrap();
    let response = client.send(request).await.unwrap().unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.to_bytes(), "data");
}

#[tokio::test]
async fn certificate_must_be_trusted_and_http2_is_agreed_on() {
    let (site, folder) = encrypted_site().await;
    let url = format!("https://localhost:{}/describe", site.port());
    let allow = format!("localhost:{}", site.port());

    let strict = Client::new(&allow).await;
    assert_eq!(strict.get(&url).await.unwrap().unwrap_err(), ErrorCode::TlsCertificateError);

    let ca = folder.path().join("ca.pem");
    let trusting = Client::with_config(&allow, serde_json::json!({ "ca": ca })).await;
    let seen = text(trusting.get(&url).await).await;
    assert!(seen.starts_with("GET HTTP/2.0\n"), "{seen}");
    assert!(seen.contains(&format!("host {allow}\n")), "{seen}");
}

#[tokio::test]
async fn clear_text_server_is_no_tls_server() {
    let site = site().await;
    let (client, origin) = client_of(&site).await;
    let url = origin.replace("http://", "https://");
    assert_eq!(client.get(&url).await.unwrap().unwrap_err(), ErrorCode::TlsProtocolError);
}

#[tokio::test]
async fn closed_port_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::new(&format!("127.0.0.1:{port}")).await;
    let refused = client.get(&format!("http://127.0.0.1:{port}/")).await.unwrap().unwrap_err();
    assert_eq!(refused, ErrorCode::ConnectionRefused);
}

#[tokio::test]
async fn name_that_nobody_knows_is_a_dns_error() {
    let client = Client::new("nowhere.invalid").await;
    let error = client.get("http://nowhere.invalid/").await.unwrap().unwrap_err();
    assert_eq!(error.name(), "DNS-error");
}

#[tokio::test]
async fn server_that_never_answers_is_a_timeout() {
    let site = site().await;
    let (mut client, origin) = client_of(&site).await;
    client.timeout = Duration::from_millis(200);
    let outcome = client.get(&format!("{origin}/never")).await;
    match outcome {
        Ok(answer) => assert_eq!(answer.unwrap_err(), ErrorCode::HttpResponseTimeout),
        Err(error) => assert_eq!(error.status, Status::Deadline),
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    let mut client = Client::new(&origin).await;
    client.timeout = Duration::from_millis(200);
    match client.get(&format!("http://{origin}/")).await {
        Ok(answer) => assert_eq!(answer.unwrap_err(), ErrorCode::HttpResponseTimeout),
        Err(error) => assert_eq!(error.status, Status::Deadline),
    }
}
