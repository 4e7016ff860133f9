//! Targets that share the calls of a link or a route by weight: canaries, and what becomes of them.

use integration_tests::TestLattice;
use serde_json::json;

use crate::load::Load;

const BUCKET: &str = "application: stores\nproviders: {bucket: keyvalue-nats}\n";

#[tokio::test(flavor = "multi_thread")]
async fn canary_gets_its_share_and_is_promoted_without_losing_a_request() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("counter")]).await;
    lattice.wicker(&["deploy", &lattice.manifest("stores", BUCKET)]).await;
    let set = async |args: &[&str]| {
        lattice.wicker(&[&["link", "set", "counter", "wasi:keyvalue"], args].concat()).await
    };
    let set = async |args: &[&str]| set(args).await[0].clone();
    let visits = async |target: &str| -> u64 {
        set(&[target]).await;
        lattice.web.get(host.http, "/").await.unwrap().text().parse().unwrap()
    };
    assert_eq!((visits("keyvalue-redb").await, visits("stores/bucket").await), (1, 1));
    let report = set(&["--weight", "keyvalue-redb=90", "--weight", "stores/bucket=10"]).await;
    assert_eq!(report["target"], "default/keyvalue-redb/keyvalue-redb");
    assert_eq!((&report["split"][1]["weight"], &report["state"]), (&json!(10), &json!("ready")));
    for _ in 0..1000 {
        assert_eq!(lattice.web.get(host.http, "/").await.unwrap().status, 200);
    }
    // Six standard deviations: a fair draw is outside once in a billion runs. One more visit each tells the count.
    let canary = visits("stores/bucket").await - 2;
    assert!((43..=157).contains(&canary), "{canary} of 1000 went to the canary");
    assert_eq!(visits("keyvalue-redb").await - 2, 1000 - canary);

    let load = Load::start(&lattice.web, &[host.http], "/", 4);
    for weight in ["stores/bucket=10", "stores/bucket=50"] {
        set(&["--weight", "keyvalue-redb=50", "--weight", weight]).await;
        load.flows(100).await;
    }
    let promoted = lattice.wicker(&["link", "promote", "counter", "wasi:keyvalue", "bucket"]).await;
    assert_eq!(promoted[0]["target"], "default/stores/bucket");
    load.flows(100).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
    let before = visits("keyvalue-redb").await;
    set(&["stores/bucket"]).await;
    for _ in 0..20 {
        lattice.web.get(host.http, "/").await.unwrap();
    }
    assert_eq!(visits("keyvalue-redb").await, before + 1, "only the promoted one is called");
    let wrong = ["link", "promote", "counter", "wasi:keyvalue", "greeter"];
    let error = lattice.try_wicker(&wrong).await.unwrap_err();
    assert!(error.contains("`greeter` is none of the targets of wasi:keyvalue"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn components_share_the_requests_of_a_route() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let text = "
application: web
components: {blue: '{guests}/http_hello.wasm', green: '{guests}/http_misbehave.wasm'}
routes:
  /:
    - {target: blue, weight: 3}
    - {target: green, weight: 1}
";
    lattice.wicker(&["deploy", &lattice.manifest("web", text)]).await;
    let mut green = 0;
    for _ in 0..400 {
        let answer = lattice.web.get(host.http, "/").await.unwrap();
        assert_eq!(answer.status, 200);
        green += usize::from(answer.text() == "first");
    }
    assert!((48..=152).contains(&green), "{green} of 400 went to the smaller share");
}
