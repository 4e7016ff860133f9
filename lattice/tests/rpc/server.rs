//! NATS servers that ask for something: a login, TLS, small messages.

use std::path::Path;

use bytes::Bytes;
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::{ConnectError, Login, Nats, NatsConfig, Secret, Tls};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::testing::NatsServer;

use crate::common::{call, call_with, check_chunks, chunks, echo, on_every_program};

/// A call there and back between two ends that connect as `config` says.
async fn call_works(config: &NatsConfig, params: Bytes) -> anyhow::Result<()> {
    let end = async |id| {
        let nats = Nats::connect(config.clone()).await?;
        anyhow::Ok(Rpc::start(RpcConfig::new("test", id), &nats, echo()).await?)
    };
    let to = ProcessId::generate();
    let (caller, _callee) = (end(ProcessId::generate()).await?, end(to).await?);
    let remote = caller.remote(to);
    assert_eq!(remote.invoke(call(params.clone())).await?.results, params);
    let mut reply = remote.invoke(call_with("", vec![chunks(20, &Default::default())])).await?;
    assert_eq!(check_chunks(&mut reply.streams[0]).await?, 20 * crate::common::CHUNK);
    Ok(())
}

async fn refused(config: NatsConfig) -> ConnectError {
    Nats::connect(config).await.expect_err("let in")
}

#[test]
fn server_with_small_messages_carries_large_values() {
    on_every_program(|program| async move {
        let server = NatsServer::start_with(&program, "max_payload: 4096").await;
        call_works(&NatsConfig::at(server.url()), vec![7; 100_000].into()).await
    });
}

#[test]
fn name_and_password_let_in_and_others_do_not() {
    on_every_program(|program| async move {
        let users = "authorization { user: wick, password: wax }";
        let server = NatsServer::start_with(&program, users).await;
        let with = |password: &str| NatsConfig {
            login: Login::User { name: "wick".to_owned(), password: Secret::new(password) },
            ..NatsConfig::at(server.url())
        };
        call_works(&with("wax"), "x".into()).await?;
        for config in [with("wrong"), NatsConfig::at(server.url())] {
            let error = refused(config).await;
            assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        }
        Ok(())
    });
}

#[test]
fn token_lets_in() {
    on_every_program(|program| async move {
        let server = NatsServer::start_with(&program, "authorization { token: wax }").await;
        let login = Login::Token(Secret::new("wax"));
        call_works(&NatsConfig { login, ..NatsConfig::at(server.url()) }, "x".into()).await
    });
}

#[test]
fn credentials_file_that_is_not_there_is_named() {
    on_every_program(|program| async move {
        let server = NatsServer::start_program(&program).await;
        let login = Login::Credentials("no/such.creds".into());
        let error = refused(NatsConfig { login, ..NatsConfig::at(server.url()) }).await;
        assert!(error.to_string().contains("no/such.creds"), "{error}");
        Ok(())
    });
}

#[test]
fn tls_is_checked_against_the_authorities_that_were_given() {
    on_every_program(|program| async move {
        let folder = tempfile::tempdir()?;
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, own.cert.pem())?;
        std::fs::write(&key, own.signing_key.serialize_pem())?;
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let config = format!("tls {{ cert_file: {}, key_file: {} }}", quoted(&cert), quoted(&key));
        let server = NatsServer::start_with(&program, &config).await;
        let trusting = Tls { authorities: Some(cert), is_required: true, ..Tls::default() };
        call_works(&NatsConfig { tls: trusting, ..NatsConfig::at(server.url()) }, "x".into())
            .await?;
        let wary = Tls { is_required: true, ..Tls::default() };
        let error = refused(NatsConfig { tls: wary, ..NatsConfig::at(server.url()) }).await;
        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
        Ok(())
    });
}
