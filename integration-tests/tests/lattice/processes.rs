//! Providers in processes of their own.

use integration_tests::{TestLattice, eventually};

use crate::load::Load;

const MANIFEST: &str = "
application: counter
components:
  counter: COUNTER
providers:
  store:
    process: keyvalue-nats
links:
  counter:
    wasi:keyvalue: store
routes:
  /: counter
";

#[tokio::test(flavor = "multi_thread")]
async fn provider_process_that_dies_is_restarted_and_calls_wait_for_it() {
    let lattice = TestLattice::start().await;
    let counter = artifacts::example("counter").display().to_string();
    let host =
        lattice.host(&[&lattice.manifest("counter", &MANIFEST.replace("COUNTER", &counter))]).await;
    let load = Load::start(&lattice.web, &[host.http], "/", 2);
    load.flows(50).await;
    let before = host.children();
    assert_eq!(before.len(), 1, "the provider runs in a process of its own");
    rustix::process::kill_process(before[0], rustix::process::Signal::KILL).unwrap();
    load.flows(100).await;
    let outcome = load.finish().await;
    // A call in flight in the killed process may end typed; calls that come while it restarts wait.
    assert!(outcome.failures.len() <= 2, "{:?}", outcome.failures);
    let after = host.children();
    assert!(after.len() == 1 && after != before, "{after:?}");
    assert!(host.stop().await.success());
    eventually("the provider's process ended with its host", || async {
        rustix::process::test_kill_process(after[0]).is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_link_says_whether_its_provider_can_serve_it() {
    let lattice = TestLattice::start().await;
    let counter = artifacts::example("counter").display().to_string();
    let text = "
application: two
components: { well: COUNTER, ill: COUNTER }
providers:
  inside: keyvalue-redis
  process: { process: keyvalue-redis }
links:
  well:
    wasi:keyvalue: { target: TARGET, config: { url: GOOD } }
  ill:
    wasi:keyvalue: { target: TARGET, config: { url: 'redis://:hunter2@127.0.0.1:1' } }
";
    let redis = integration_tests::Redis::start().await;
    let _host = lattice.host(&[]).await;
    for target in ["inside", "process"] {
        let text = text.replace("COUNTER", &counter).replace("GOOD", &redis.url());
        let manifest = lattice.manifest("two", &text.replace("TARGET", target));
        lattice.wicker(&["deploy", "--detach", &manifest]).await;
        let row = |links: &serde_json::Value, source: &str| {
            let mut rows = links.as_array().unwrap().iter().cloned();
            rows.find(|row| {
                row["source"] == source && row["target"] == format!("default/two/{target}")
            })
        };
        eventually("each link has its own state", || async {
            let links = lattice.wicker(&["ps"]).await["links"].clone();
            let (well, ill) = (row(&links, "default/two/well")?, row(&links, "default/two/ill")?);
            let reason = ill["reason"].as_str().unwrap_or_default();
            assert!(!reason.contains("hunter2"), "{reason}");
            let is_told = ill["state"] == "failing" && reason.contains("127.0.0.1:1");
            (well["state"] == "ready" && is_told).then_some(())
        })
        .await;
    }
}
