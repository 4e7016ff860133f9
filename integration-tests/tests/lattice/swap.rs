//! The idea of Wicker: who serves an import changes while requests flow, and nothing is lost.

use integration_tests::{Redis, TestLattice};
use wicker_lattice::testing::NatsServer;

use crate::load::Load;

/// Provider objects on the second host, beside the embedded store that the counter starts with.
const STORES: &str = "
application: stores
providers:
  redis:
    builtin: keyvalue-redis
    config: { url: REDIS }
    placement: { labels: { role: second } }
  bucket:
    builtin: keyvalue-nats
    placement: { labels: { role: second } }
";

#[tokio::test(flavor = "multi_thread")]
async fn store_moves_across_hosts_and_no_request_is_lost() {
    for program in NatsServer::installed() {
        swap(TestLattice::start_on(NatsServer::start_program(&program).await).await).await;
    }
}

async fn swap(lattice: TestLattice) {
    let redis = Redis::start().await;
    let first = lattice.host(&[&lattice.example("counter")]).await;
    let _second = lattice.host(&["--label", "role=second"]).await;
    lattice
        .wicker(&["deploy", &lattice.manifest("stores", &STORES.replace("REDIS", &redis.url()))])
        .await;

    let load = Load::start(&lattice.web, &[first.http], "/", 8);
    load.flows(200).await;
    for target in ["stores/redis", "stores/bucket", "keyvalue-redb", "stores/redis"] {
        lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", target]).await;
        load.flows(200).await;
    }
    let outcome = load.finish().await;
    assert_eq!(outcome.failures, Vec::<String>::new());

    // Every answer was an increment on the store it went to: one more visit to each store tells how many it holds.
    let mut counted = 0;
    for target in ["stores/redis", "stores/bucket", "keyvalue-redb"] {
        lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", target]).await;
        let visit = lattice.web.get(first.http, "/").await.unwrap();
        let count: u64 = visit.text().parse().unwrap();
        assert!(count > 150, "{target} served only {count}");
        counted += count - 1;
    }
    assert_eq!(counted, outcome.answered);
}
