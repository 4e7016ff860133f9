//! What a component may touch: nothing, unless its manifest grants it.

use std::collections::BTreeMap;
use std::fs;

use wicker_lattice::link::Links;
use wicker_lattice::store::record::{FileGrant, Grants};

use crate::support::{stage, stage_with};

#[tokio::test]
async fn nothing_is_there_that_was_not_granted() {
    let stage = stage("http-probe").await;
    assert_eq!(stage.text("/environment").await, "[]");
    assert_eq!(stage.text("/arguments").await, r#"["http-probe"]"#);
    assert_eq!(stage.text("/config?key").await, "Ok(None)");
    for attempt in [
        "/read?/etc/passwd",
        "/write?/tmp/x",
        "/connect?127.0.0.1:80",
        "/bind?127.0.0.1:0",
        "/resolve?example.org:80",
    ] {
        let outcome = stage.text(attempt).await;
        assert!(outcome.starts_with("Err("), "{attempt}: {outcome}");
    }
}

#[tokio::test]
async fn a_denial_is_logged_once_with_what_would_grant_it() {
    let stage = stage("http-probe").await;
    for _ in 0..3 {
        stage.text("/read?/data/x").await;
        stage.text("/connect?127.0.0.1:80").await;
        stage.text("/resolve?example.org:80").await;
    }
    assert_eq!(
        stage.log.count("grants.files: [{host: /directory/on/the/host, guest: /directory}]"),
        1
    );
    assert_eq!(stage.log.count("denied: a socket"), 1);
    assert_eq!(stage.log.count("denied: looking up a host name"), 1);
    assert_eq!(stage.log.count("wicker link set default/tests/http-probe wasi:http"), 2);
}

#[tokio::test]
async fn what_was_granted_is_there() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("greeting"), "hello").unwrap();
    let host = directory.path().to_str().unwrap().to_owned();
    let grant = |guest: &str, write| FileGrant { host: host.clone(), guest: guest.into(), write };
    let stage = stage_with("http-probe", Links::default(), |config| {
        config.grants = Grants {
            environment: BTreeMap::from([("COLOUR".into(), "red".into())]),
            arguments: vec!["--fast".into()],
            files: vec![grant("/read-only", false), grant("/writable", true)],
            ..Grants::default()
        };
        config.config = BTreeMap::from([("limit".into(), "7".into())]);
    })
    .await;
    assert_eq!(stage.text("/environment").await, r#"[("COLOUR", "red")]"#);
    assert_eq!(stage.text("/arguments").await, r#"["http-probe", "--fast"]"#);
    assert_eq!(stage.text("/config?limit").await, r#"Ok(Some("7"))"#);
    assert_eq!(stage.text("/configs").await, r#"Ok([("limit", "7")])"#);
    assert_eq!(stage.text("/read?/read-only/greeting").await, r#"Ok("hello")"#);
    assert_eq!(stage.log.lines(), [] as [String; 0]);

    assert!(stage.text("/write?/read-only/new").await.starts_with("Err("));
    assert_eq!(stage.log.count("write: true"), 1);
    assert_eq!(stage.text("/write?/writable/new").await, "Ok(())");
    assert_eq!(fs::read_to_string(directory.path().join("new")).unwrap(), "written by a guest");
    assert!(stage.text("/read?/writable/../../etc/passwd").await.starts_with("Err("));
}

#[tokio::test]
async fn output_goes_to_the_log_line_by_line_and_is_bounded() {
    let stage = stage("http-probe").await;
    stage.text("/print?once").await;
    assert_eq!(stage.log.lines(), ["Stdout Info to stdout: once", "Stderr Info to stderr: once"]);
    stage.text("/log?careful").await;
    assert_eq!(stage.log.lines().last().unwrap(), "Logging Warn probe: careful");
    stage.text("/flood").await;
    let lines = stage.log.lines();
    assert!(lines.len() < 20_000, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.len() < 5000));
}

#[tokio::test]
async fn sockets_reach_what_is_granted_and_nothing_else() {
    let (granted, other) = (listener().await, listener().await);
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let udp_at = udp.local_addr().unwrap();
    let answering = tokio::task::JoinSet::from_iter([async move {
        let mut datagram = [0; 16];
        let (length, from) = udp.recv_from(&mut datagram).await.unwrap();
        udp.send_to(&datagram[..length], from).await.unwrap();
    }]);
    let (port, other_port) = (granted.1, other.1);
    let stage = stage_with("http-probe", Links::default(), |config| {
        config.grants.network = vec![
            format!("tcp://127.0.0.0/8:{port}"),
            format!("tcp://localhost:{port}"),
            format!("udp://{udp_at}"),
        ];
    })
    .await;
    assert_eq!(stage.text(&format!("/connect?127.0.0.1:{port}")).await, "Ok(())");
    assert_eq!(stage.text(&format!("/connect?localhost:{port}")).await, "Ok(())");
    assert_eq!(stage.text(&format!("/send?{udp_at}")).await, r#"Ok("ping")"#);
    assert_eq!(answering.join_all().await.len(), 1);
    for attempt in [
        format!("/connect?127.0.0.1:{other_port}"),
        format!("/connect?localhost:{other_port}"),
        format!("/connect?example.org:{port}"),
        format!("/send?127.0.0.1:{port}"),
        "/listen?127.0.0.1:0".to_owned(),
        "/listen?0.0.0.0:0".to_owned(),
    ] {
        let outcome = stage.text(&attempt).await;
        assert!(outcome.starts_with("Err("), "{attempt}: {outcome}");
    }
    let entry = format!("grants.network: [tcp://127.0.0.1:{other_port}]");
    assert_eq!(stage.log.count(&entry), 1);
    assert_eq!(stage.log.count("denied: looking up a host name"), 1);
}

/// Somebody who accepts, and its port.
async fn listener() -> (tokio::net::TcpListener, u16) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
