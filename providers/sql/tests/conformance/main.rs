//! One suite of laws for wicker:sql, over every backend, in this process and as a process of its own over NATS; then
//! what each backend promises besides.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(clippy::large_futures, reason = "a test has one")]

mod laws;
mod postgres;
mod shop;
mod sqlite;
mod transactions;
mod values;
mod wasmcloud;

use sql_postgres::Postgres;
use sql_sqlite::Sqlite;
use wicker_lattice::testing::NatsServer;
use wicker_provider::Builtin;
use wicker_provider::testing::{InProcess, Links, PostgresServer, Process, become_provider};

const PACKAGE: &str = "wicker:sql@0.1";

const WASMCLOUD: &str = "wasmcloud:postgres@0.1.1-draft";

/// What a process started by these tests becomes: a provider. Without its variable it is a test of nothing.
#[test]
fn provider_process() {
    become_provider(&[Builtin::of::<Sqlite>(), Builtin::of::<Postgres>()]);
}

/// Every law, on a database that is empty.
async fn keep_all(links: &Links) {
    values::keep_all(links).await;
    laws::keep_all(links).await;
    transactions::keep_all(links).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_process_keeps_the_laws() {
    let provider = InProcess::start::<Sqlite>(serde_json::json!({}), None).await;
    keep_all(&provider.links(PACKAGE, &[("database", "laws")])).await;
    sqlite::keep_all(&provider.links(PACKAGE, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_as_a_process_keeps_the_laws() {
    let nats = NatsServer::start().await;
    let mut provider = Process::start::<Sqlite>(&nats, serde_json::json!({})).await;
    keep_all(&provider.links(PACKAGE, &[("database", "laws")])).await;
    let begun = transactions::begin_for_good(&provider.links(PACKAGE, &[])).await;
    provider.kill();
    let provider = provider.start_again::<Sqlite>().await;
    transactions::is_undone(&provider.links(PACKAGE, &[]), begun).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_in_process_keeps_the_laws() {
    let server = PostgresServer::start();
    let config = serde_json::json!({ "url": server.url() });
    let provider = InProcess::start::<Postgres>(config, None).await;
    keep_all(&provider.links(PACKAGE, &[])).await;
    wasmcloud::keep_all(&provider.links(WASMCLOUD, &[])).await;
    postgres::keep_all(&provider.links(PACKAGE, &[]), server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_as_a_process_keeps_the_laws() {
    let (nats, server) = (NatsServer::start().await, PostgresServer::start());
    let mut provider = Process::start::<Postgres>(&nats, serde_json::json!({})).await;
    let url = server.url();
    keep_all(&provider.links(PACKAGE, &[("url", &url)])).await;
    wasmcloud::keep_all(&provider.links(WASMCLOUD, &[("url", &url)])).await;
    let begun = transactions::begin_for_good(&provider.links(PACKAGE, &[("url", &url)])).await;
    provider.kill();
    let provider = provider.start_again::<Postgres>().await;
    transactions::is_undone(&provider.links(PACKAGE, &[("url", &url)]), begun).await;
    provider.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_over_tls_keeps_the_laws() {
    let server = PostgresServer::start_with_tls();
    let url = format!("{}?sslmode=require", server.url());
    let certificate = server.certificate().unwrap().to_owned();
    let provider = InProcess::start::<Postgres>(serde_json::json!({}), None).await;
    let config = [("url", url.as_str()), ("root-certificates", certificate.as_str())];
    keep_all(&provider.links(PACKAGE, &config)).await;
    postgres::tls_is_for_servers_that_are_trusted(&provider.links(PACKAGE, &[]), &server).await;
}
