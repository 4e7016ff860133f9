//! HTTP/1.1, HTTP/2 and TLS; what targets and clients are shown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{StatusCode, Version};
use http_server::{Config, Forwarded, Limits, ListenError, Listener, Tls};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use wicker_provider::http::Body;

use crate::support::{exchange, http1_over, http2_over, local, request, start, start_with, text};

#[tokio::test]
async fn keep_alive_connection_answers_many_requests() {
    let running = start(Limits::default()).await;
    let mut client = running.http1().await;
    for _ in 0..100 {
        client.ready().await.unwrap();
        let response = client.send_request(request("/", Body::Empty)).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(text(response).await, "hello");
    }
    assert_eq!(running.server.connections(), 1);
}

#[tokio::test]
async fn clear_text_http2_needs_no_upgrade_and_shares_a_connection() {
    let running = start(Limits::default()).await;
    let client = running.http2().await;
    let waits = (0..20).map(|_| {
        let mut client = client.clone();
        async move {
            let response = client.send_request(request("/wait", Body::Empty)).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            text(response).await
        }
    });
    let all = futures::future::join_all(waits);
    let release = async {
        while running.script.started.load(Ordering::SeqCst) < 20 {
            tokio::task::yield_now().await;
        }
        running.script.permits.add_permits(20);
    };
    let (answers, ()) = tokio::join!(all, release);
    assert!(answers.iter().all(|answer| answer == "waited"));
    assert_eq!(running.server.connections(), 1);
}

#[tokio::test]
async fn tls_serves_both_protocols_and_the_target_learns_the_scheme() {
    let signed = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls {
        certificate: folder.path().join("certificate.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(&tls.certificate, signed.cert.pem()).unwrap();
    std::fs::write(&tls.key, signed.signing_key.serialize_pem()).unwrap();
    let running = start_with(Config { tls: Some(tls), ..local() }).await;

    for protocol in [&b"h2"[..], b"http/1.1"] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(signed.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("a.example").unwrap();
        let stream = running.connect().await;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        let request = request("/headers", Body::Empty);
        let response = if protocol == b"h2" {
            http2_over(stream, &running.tasks).await.send_request(request).await.unwrap()
        } else {
            http1_over(stream, &running.tasks).await.send_request(request).await.unwrap()
        };
        let seen = text(response).await;
        assert!(seen.contains("x-forwarded-proto: https\n"), "{seen}");
    }
}

#[tokio::test]
async fn certificate_that_is_none_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing.pem");
    let tls = Tls { certificate: path.clone(), key: path.clone() };
    let error = Listener::bind(Config { tls: Some(tls), ..local() }).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{}` as PEM", path.display()));
}

#[tokio::test]
async fn port_in_use_is_a_typed_error() {
    let running = start(Limits::default()).await;
    let listen = running.server.address();
    let error = Listener::bind(Config { listen, ..local() }).await.unwrap_err();
    assert!(matches!(error, ListenError::Bind { address, .. } if address == listen));
}

#[tokio::test]
async fn target_sees_no_hop_by_hop_header_and_no_forged_address() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let seen = exchange(
        &mut stream,
        b"GET /headers HTTP/1.1\r\nhost: a.example\r\nconnection: close, x-private\r\n\
          x-private: 1\r\nkeep-alive: 5\r\nx-forwarded-for: 10.9.9.9\r\naccept: */*\r\n\r\n",
    )
    .await;
    assert!(seen.contains("accept: */*\n"), "{seen}");
    assert!(seen.contains("x-forwarded-for: 127.0.0.1\n"), "{seen}");
    for absent in ["10.9.9.9", "x-private", "keep-alive: 5"] {
        assert!(!seen.contains(absent), "{absent} in {seen}");
    }
}

#[tokio::test]
async fn proxy_in_front_is_believed_when_configured() {
    let running = start_with(Config { forwarded: Forwarded::Append, ..local() }).await;
    let mut request = request("/headers", Body::Empty);
    request.headers_mut().insert("x-forwarded-for", "10.9.9.9".parse().unwrap());
    let response = running.http1().await.send_request(request).await.unwrap();
    let seen = text(response).await;
    assert!(seen.contains("x-forwarded-for: 10.9.9.9\nx-forwarded-for: 127.0.0.1\n"), "{seen}");
}

#[tokio::test]
async fn stranger_learns_status_and_request_id_only() {
    let running = start(Limits::default()).await;
    let response = running.http1().await.send_request(request("/fail", Body::Empty)).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let line = text(response).await;
    let (before, id) = line.split_once("(request ").unwrap();
    assert_eq!(before, "502 unavailable ");
    assert_eq!(id.len(), "01ARZ3NDEKTSV4RRFFQ69G5FAV)\n".len());
}

#[tokio::test]
async fn answer_that_lies_about_its_length_is_not_sent() {
    let running = start(Limits::default()).await;
    for (claim, status) in [("4", 200), ("5", 502), ("many", 502)] {
        let path = format!("/lie/{claim}");
        let mut client = running.http1().await;
        let response = client.send_request(request(&path, Body::Empty)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{claim}");
    }
}

#[tokio::test]
async fn request_without_host_and_tunnel_are_refused() {
    let running = start(Limits::default()).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost:\r\n", "400"),
        ("CONNECT b.example:443 HTTP/1.1\r\nhost: b.example\r\n", "501"),
        ("GET / HTTP/1.0\r\n", "200"),
    ] {
        let mut stream = running.connect().await;
        let head = format!("{head}connection: close\r\n\r\n");
        let answer = exchange(&mut stream, head.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head} {answer}");
    }
}

#[tokio::test]
async fn address_is_known_before_the_first_request_and_any_port_is_free() {
    let listener = Listener::bind(local()).await.unwrap();
    assert_ne!(listener.address().port(), 0);
    assert_eq!(listener.address().ip(), SocketAddr::from(([127, 0, 0, 1], 0)).ip());
}
