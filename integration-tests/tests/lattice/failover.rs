//! Hosts that die or leave under load, and a NATS server that goes away.

use std::time::{Duration, Instant};

use integration_tests::{TestHost, TestLattice, eventually};
use rustix::process::Signal;

use crate::load::Load;

/// The bound of docs/protocol.md: a call in flight to a process that dies ends within this.
const LOST_WITHIN: Duration = Duration::from_secs(4);

/// A call to the greeter that takes this long has no one to answer it.
const HANGING: Duration = Duration::from_millis(200);

/// A component on two hosts that carry the label.
const REPLICATED: &str = "
application: greeter
components:
  greeter:
    image: GREETER
    replicas: 2
    placement: { labels: { role: worker } }
";

/// A gateway on one host, and the greeter that it calls on two others.
async fn two_workers(lattice: &TestLattice) -> (TestHost, TestHost, TestHost) {
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let first = lattice.host(&["--label", "role=worker"]).await;
    let second = lattice.host(&["--label", "role=worker"]).await;
    let greeter = artifacts::example("greeter").display().to_string();
    lattice
        .wicker(&["deploy", &lattice.manifest("greeter", &REPLICATED.replace("GREETER", &greeter))])
        .await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    (edge, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_killed_host_end_typed_and_the_survivor_answers() {
    let lattice = TestLattice::start().await;
    let (edge, victim, _survivor) = two_workers(&lattice).await;
    let load = Load::start(&lattice.web, &[edge.http], "/greet/Ada", 8);
    load.flows(200).await;
    // Frozen first, so that calls are certainly in flight on it when it dies.
    victim.signal(Signal::STOP);
    load.hangs(HANGING).await;
    let killed = Instant::now();
    victim.kill();
    // Every caller gets through again: those whose call was in flight on the victim first get a typed failure.
    load.flows(400).await;
    let outcome = load.finish().await;
    assert!(
        outcome.failures.len() <= 8,
        "one call in flight a caller at most: {:?}",
        outcome.failures
    );
    assert!(
        outcome.failures.iter().all(|failure| failure.starts_with("50")),
        "{:?}",
        outcome.failures
    );
    assert!(!outcome.failures.is_empty(), "a call was in flight on the victim");
    let in_flight =
        outcome.finished.iter().filter(|call| call.begun < killed && call.ended > killed);
    let ends: Vec<Duration> = in_flight.map(|call| call.ended - killed).collect();
    assert!(!ends.is_empty());
    let late: Vec<_> = ends.iter().filter(|end| **end > LOST_WITHIN).collect();
    assert!(
        late.is_empty(),
        "{} of {} calls in flight ended late: {late:?}",
        late.len(),
        ends.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_is_asked_to_stop_loses_no_request() {
    let lattice = TestLattice::start().await;
    let (edge, leaving, _staying) = two_workers(&lattice).await;
    let load = Load::start(&lattice.web, &[edge.http], "/greet/Ada", 8);
    load.flows(200).await;
    assert!(leaving.stop().await.success());
    load.flows(200).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn local_calls_flow_while_nats_is_away() {
    let mut lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("greeter"), &lattice.example("gateway")]).await;
    let load = Load::start(&lattice.web, &[host.http], "/greet/Ada", 4);
    load.flows(100).await;
    lattice.nats.stop();
    load.flows(200).await;
    lattice.nats.run();
    load.flows(200).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
    eventually("the host is back in the lattice", || async {
        let inventory = lattice.try_wicker(&["ps"]).await.ok()?;
        (inventory["hosts"].as_array()?.len() == 1).then_some(())
    })
    .await;
}
