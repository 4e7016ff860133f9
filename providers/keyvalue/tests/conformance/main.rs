//! One suite of laws for wasi:keyvalue, over every backend with its real server, in this process and as a process of
//! its own over NATS.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]
#![expect(clippy::large_futures, reason = "a test has one")]

mod failures;
mod laws;
mod redis_server;
mod setting;

use keyvalue_nats::Nats;
use keyvalue_postgres::Postgres;
use keyvalue_redb::Redb;
use keyvalue_redis::Redis;
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::id::ProcessId;
use wicker_lattice::testing::NatsServer;
use wicker_lattice::token::{Issuer, Verifier};
use wicker_provider::process::{REGISTER, Registered, Registration};
use wicker_provider::testing::PostgresServer;

use crate::failures::{what_was_acknowledged_is_there_after_every_stop, wrong_password_is_told};
use crate::laws::keep_all;
use crate::redis_server::RedisServer;
use crate::setting::{HOST, InProcess, Process};

/// What a process started by these tests becomes: a provider. Without its variable it is a test of nothing.
#[test]
fn provider_process() {
    setting::become_provider();
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_in_process_keeps_the_laws() {
    let provider = InProcess::start::<Redb>(serde_json::json!({}), None).await;
    keep_all(&provider.links(&[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_as_a_process_keeps_the_laws() {
    let nats = NatsServer::start().await;
    let provider = Process::start::<Redb>(&nats, serde_json::json!({})).await;
    keep_all(&provider.links(&[])).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_in_process_keeps_the_laws() {
    let redis = RedisServer::start();
    let provider = InProcess::start::<Redis>(serde_json::json!({ "url": redis.url() }), None).await;
    keep_all(&provider.links(&[("prefix", "a*[b]/")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_as_a_process_keeps_the_laws() {
    let (nats, redis) = (NatsServer::start().await, RedisServer::start());
    let provider = Process::start::<Redis>(&nats, serde_json::json!({})).await;
    keep_all(&provider.links(&[("url", redis.url())])).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_in_process_keeps_the_laws() {
    let server = PostgresServer::start();
    let config = serde_json::json!({ "url": server.url() });
    let provider = InProcess::start::<Postgres>(config.clone(), None).await;
    let replica = InProcess::start::<Postgres>(config, None).await;
    // Both may make the table at once.
    let (links, others) = (provider.links(&[]), replica.links(&[]));
    let (one, other) = tokio::join!(links.open(&[]), others.open(&[]));
    keep_all(&provider.links(&[("prefix", "a/")])).await;
    one.set("shared", "k", "1").await;
    assert_eq!(other.get("shared", "k").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_as_a_process_keeps_the_laws() {
    let (nats, server) = (NatsServer::start().await, PostgresServer::start());
    let provider = Process::start::<Postgres>(&nats, serde_json::json!({})).await;
    keep_all(&provider.links(&[("url", &server.url())])).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_of_any_version_in_process_keeps_the_laws() {
    for program in NatsServer::installed() {
        let nats = NatsServer::start_program(&program).await;
        let provider = InProcess::start::<Nats>(serde_json::json!({}), Some(nats.url())).await;
        keep_all(&provider.links(&[])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_as_a_process_keeps_the_laws() {
    let nats = NatsServer::start().await;
    let provider = Process::start::<Nats>(&nats, serde_json::json!({})).await;
    keep_all(&provider.links(&[("bucket", "shop")])).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_in_python_keeps_the_laws() {
    let nats = NatsServer::start().await;
    let provider = Process::python(&nats).await;
    keep_all(&provider.links(&[])).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_keeps_what_it_acknowledged_when_its_process_is_killed() {
    let nats = NatsServer::start().await;
    let mut provider = Process::start::<Redb>(&nats, serde_json::json!({})).await;
    let link = provider.links(&[]).open(&[]).await;
    for expected in 1..=20 {
        assert_eq!(link.increment("b", "n", 1).await, expected);
    }
    provider.kill();
    let provider = provider.start_again::<Redb>().await;
    let link = provider.links(&[]).open(&[]).await;
    assert_eq!(link.increment("b", "n", 1).await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_provider_has_one_owner() {
    let nats = NatsServer::start().await;
    let owner = Process::start::<Redb>(&nats, serde_json::json!({})).await;
    Process::launch::<Redb>(&nats, serde_json::json!({}), |_, _| {}).await.fails().await;
    let link = owner.links(&[]).open(&[]).await;
    assert_eq!(link.increment("b", "n", 1).await, 1);
    owner.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn launched_provider_registers_with_the_token_of_its_host() {
    let nats = NatsServer::start().await;
    let host: ProcessId = HOST.parse().unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::channel(8);
    let issuer = Issuer::generate(host).unwrap();
    let provider = Process::launch::<Nats>(&nats, serde_json::json!({}), |launch, rpc| {
        let token = issuer.launch("default", &launch.id, launch.process, 1_800_000_000).unwrap();
        (launch.host, launch.token) = (Some(host), Some(token));
        rpc.on_query(REGISTER, move |registration: Registration| {
            let heard = heard.clone();
            async move {
                heard.send(registration).await.unwrap();
                Ok(Registered {})
            }
        });
    });
    let provider = provider.await;
    let registration = setting::soon("its registration", hears.recv()).await.unwrap();
    let mut verifier = Verifier::default();
    verifier.trust(issuer.public_key()).unwrap();
    let token = registration.token.unwrap();
    let claims = verifier.launch(&token, "default", 1_800_000_000).unwrap();
    assert_eq!((claims.iss, claims.sub), (host, registration.process));
    assert_eq!(registration.implementation, "keyvalue-nats");
    assert_eq!(registration.world.exports.len(), 6);
    provider.until_ready().await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_that_its_host_refuses_ends() {
    let nats = NatsServer::start().await;
    let provider = Process::launch::<Nats>(&nats, serde_json::json!({}), |launch, rpc| {
        launch.host = Some(HOST.parse().unwrap());
        rpc.on_query(REGISTER, |_: Registration| async {
            Err::<Registered, _>(CallError::new(Status::Denied, "who are you?"))
        });
    });
    provider.await.fails().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_configured_anew_is_opened_anew() {
    let (nats, redis) = (NatsServer::start().await, RedisServer::start());
    let provider = Process::start::<Redis>(&nats, serde_json::json!({ "url": redis.url() })).await;
    let links = provider.links(&[]);
    let first = links.open(&[("prefix", "one/")]).await;
    first.set("b", "k", "1").await;
    // The same link, re-written: who calls with the new revision gets the new config at once.
    let second = links.reopen(&first, &[("prefix", "two/")]).await;
    assert_eq!(second.get("b", "k").await, None);
    // Who still has the old one keeps it.
    assert_eq!(first.get("b", "k").await.as_deref(), Some("1"));
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_without_its_server_says_so_and_recovers() {
    let nats = NatsServer::start().await;
    let mut redis = RedisServer::start();
    redis.stop();
    let provider = Process::start::<Redis>(&nats, serde_json::json!({ "url": redis.url() })).await;
    let links = provider.links(&[]);
    let link = links.open(&[]).await;
    let error = link.try_get("b", "k").await.unwrap_err();
    assert_eq!(error.status, Status::Unavailable);
    assert!(error.message.contains("cannot connect to Redis"), "{error}");
    provider.until_degraded().await;
    redis.run();
    assert_eq!(link.try_get("b", "k").await, Ok(None));
    provider.until_ready().await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_stops_loses_nothing_that_was_acknowledged() {
    let mut redis = RedisServer::start();
    let provider = InProcess::start::<Redis>(serde_json::json!({ "url": redis.url() }), None).await;
    let links = provider.links(&[]);
    what_was_acknowledged_is_there_after_every_stop(&links, &mut redis).await;
    wrong_password_is_told(&links, &redis.url().replace("//", "//:guess@")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_stops_loses_nothing_that_was_acknowledged() {
    let mut server = PostgresServer::start();
    let config = serde_json::json!({ "url": server.url() });
    let provider = InProcess::start::<Postgres>(config, None).await;
    let links = provider.links(&[]);
    what_was_acknowledged_is_there_after_every_stop(&links, &mut server).await;
    wrong_password_is_told(&links, &server.url_with("guess")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_that_stops_loses_nothing_that_was_acknowledged() {
    let mut nats = NatsServer::start().await;
    let url = nats.url().to_owned();
    let provider = InProcess::start::<Nats>(serde_json::json!({}), Some(&url)).await;
    what_was_acknowledged_is_there_after_every_stop(&provider.links(&[]), &mut nats).await;
}
