//! What was declared is kept running: hosts die, leave and come, versions change, and requests go on.

use integration_tests::{TestHost, TestLattice, eventually, program};
use wicker_lattice::store::record::{Placement, Progress, ProgressState, Provider, ProviderSource};
use wicker_lattice::store::{Record as _, key};

use crate::load::Load;

fn greeter(image: &str, replicas: usize) -> String {
    format!(
        "
application: greeter
components:
  greeter:
    image: {image}
    replicas: {replicas}
    placement: {{ labels: {{ role: worker }} }}
"
    )
}

/// The greeter, with a section more for each version: other bytes, the same behaviour.
pub(crate) fn version(lattice: &TestLattice, number: u8) -> String {
    let mut image = std::fs::read(artifacts::example("greeter")).unwrap();
    image.extend([0, 3, 1, b'v', number]);
    let path = lattice.folder().join(format!("greeter-{number}.wasm"));
    std::fs::write(&path, image).unwrap();
    path.display().to_string()
}

async fn deploy(lattice: &TestLattice, image: &str, replicas: usize) {
    lattice.wicker(&["deploy", &lattice.manifest("greeter", &greeter(image, replicas))]).await;
}

/// The workers on which the greeter is placed.
async fn placed<'a>(lattice: &TestLattice, workers: &'a [TestHost]) -> Vec<&'a TestHost> {
    let placements = lattice.store.list::<Placement>(&Placement::all()).await.unwrap();
    let greeters = placements.iter().filter(|entry| entry.record.object.name() == "greeter");
    let hosts: Vec<_> = greeters.map(|entry| entry.record.host).collect();
    workers.iter().filter(|worker| hosts.contains(&worker.process)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_leaves_hands_over_first() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    deploy(&lattice, &version(&lattice, 1), 1).await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    let load = Load::start(&lattice.web, &[edge.http], "/greet/Ada", 8);
    load.flows(100).await;
    let leaving = placed(&lattice, &workers).await[0].process;
    let [first, second] = workers;
    let (leaving, _staying) =
        if first.process == leaving { (first, second) } else { (second, first) };
    assert!(leaving.stop().await.success());
    load.flows(100).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_version_goes_from_host_to_host_and_no_request_is_lost() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    deploy(&lattice, &version(&lattice, 1), 3).await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    let load = Load::start(&lattice.web, &[edge.http], "/greet/Ada", 8);
    for number in 2..=4 {
        load.flows(100).await;
        deploy(&lattice, &version(&lattice, number), 3).await;
        assert_eq!(placed(&lattice, &workers).await.len(), 3);
    }
    load.flows(100).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
}

fn store(command: &str) -> String {
    format!(
        "
application: stores
providers:
  store:
    command: {command}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn version_that_cannot_start_is_taken_back() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    let program = program();
    let works = format!("[{}, provider, keyvalue-nats]", program.display());
    lattice.wicker(&["deploy", &lattice.manifest("stores", &store(&works))]).await;
    let refused = lattice
        .try_wicker(&["deploy", &lattice.manifest("stores", &store("[/bin/false]"))])
        .await
        .unwrap_err();
    let told = "generation 2 failed: default/stores/store on ";
    assert!(refused.contains(told), "{refused}");
    assert!(refused.contains("it is generation 1 again, and ready (as generation 3)"), "{refused}");
    let progress = eventually("the earlier version is back", || async {
        let key = key::progress("default", "stores");
        let progress = lattice.store.get::<Progress>(&key).await.ok()??.record;
        (progress.generation == 3 && progress.state == ProgressState::Ready).then_some(progress)
    })
    .await;
    assert_eq!(progress.ready, Some(3));
    let provider = lattice.store.list::<Provider>(&Provider::all()).await.unwrap();
    let ProviderSource::Command(command) = &provider[0].record.source else {
        panic!("{provider:?}")
    };
    assert_eq!(command[1..], ["provider", "keyvalue-nats"]);
}
