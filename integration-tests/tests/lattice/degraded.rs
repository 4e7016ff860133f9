//! Hosts on which something does not work: they say so in their lease, and take it back.

use integration_tests::{TestLattice, eventually};

/// Waits until `wicker ps` shows the only host in this state, with a reason that holds `words`.
async fn is_shown(lattice: &TestLattice, state: &str, words: &str) {
    eventually(state, || async {
        let ps = lattice.try_wicker(&["ps"]).await.ok()?;
        let host = ps["hosts"].as_array()?.first()?.clone();
        let reason = host["reason"].as_str().unwrap_or_default().to_owned();
        (host["state"] == state && reason.contains(words)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_says_what_does_not_start_on_it_until_that_is_gone() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    is_shown(&lattice, "ready", "").await;
    let manifest = lattice.manifest(
        "broken",
        "application: broken\nproviders:\n  store:\n    builtin: keyvalue-redis\n    config: {uri: 'redis://127.0.0.1:6379'}\n",
    );
    lattice.wicker(&["deploy", "--detach", &manifest]).await;
    is_shown(&lattice, "degraded", "default/broken/store: ").await;
    lattice.wicker(&["undeploy", "broken"]).await;
    is_shown(&lattice, "ready", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_says_that_it_was_cut_off_and_then_takes_it_back() {
    let mut lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    lattice.nats.stop();
    eventually("the host is without NATS for longer than a lease", || async {
        host.log().contains("degraded").then_some(())
    })
    .await;
    lattice.nats.run();
    is_shown(&lattice, "degraded", "did not answer for").await;
    is_shown(&lattice, "ready", "").await;
}
