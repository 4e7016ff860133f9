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
