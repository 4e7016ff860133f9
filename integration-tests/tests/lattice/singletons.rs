//! What runs on one host at most: frozen hosts, claims, fences.

use std::collections::BTreeSet;

use integration_tests::load::Load;
use integration_tests::{TestHost, TestLattice, eventually};
use rustix::process::Signal;
use tokio::task::JoinSet;
use wicker_lattice::call::Status;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Claim, RunState};

use crate::teams::ask_at;

/// One warm instance, which says who it is; the next call waits until it is back.
const ONLY: &str = "
application: only
components:
  only:
    image: '{guests}/http_probe.wasm'
    singleton: true
    warm: 1
    limits: {concurrency: 1}
    placement: {labels: {role: worker}}
routes:
  /: only
";

async fn claim(lattice: &TestLattice) -> Option<(Claim, u64)> {
    let id = "default/only/only".parse().unwrap();
    let entry = lattice.store.get::<Claim>(&key::claim(&id)).await.ok()??;
    Some((entry.record, entry.revision))
}

async fn instance(lattice: &TestLattice, host: &TestHost) -> Option<String> {
    let answer = lattice.web.get(host.http, "/instance").await.ok()?;
    (answer.status == 200).then(|| answer.text())
}

/// Waits until `host` has the claim and answers; the claim's revision.
async fn runs_on(lattice: &TestLattice, host: &TestHost) -> u64 {
    eventually("it runs there", || async {
        let (claim, revision) = claim(lattice).await?;
        let running = lattice.running(&claim.object).await?;
        let is_ready = |each: &wicker_lattice::store::record::Running| {
            each.process == host.process && each.state == RunState::Ready
        };
        (claim.process == host.process && running.iter().any(is_ready)).then_some(revision)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_host_answers_nothing_that_it_ran_alone_when_it_thaws() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    lattice.wicker(&["deploy", &lattice.manifest("only", ONLY)]).await;
    let (first, token) = claim(&lattice).await.unwrap();
    let on = usize::from(first.process != workers[0].process);
    let (frozen, other) = (&workers[on], &workers[1 - on]);
    let before = instance(&lattice, &edge).await.unwrap();
    assert_eq!(instance(&lattice, &edge).await.unwrap(), before, "it is warm");
    // A request that is under way when the host freezes must not be answered by it either.
    frozen.signal(Signal::STOP);
    let mut caught = JoinSet::new();
    let (web, http) = (lattice.web.clone(), frozen.http);
    caught.spawn(async move { web.get(http, "/instance").await });
    let later = runs_on(&lattice, other).await;
    assert!(later > token, "a later claim has a higher token");
    let after = instance(&lattice, &edge).await.unwrap();
    assert_ne!(after, before, "another instance");
    frozen.signal(Signal::CONT);
    // Whatever is asked of the thawed host is answered by the one that has the claim, or not at all.
    let caught = caught.join_next().await.unwrap().unwrap().unwrap();
    assert!(caught.status != 200 || caught.text() == after, "{caught:?}");
    let mut answers = BTreeSet::new();
    for _ in 0..50 {
        answers.extend(instance(&lattice, frozen).await);
        answers.extend(instance(&lattice, &edge).await);
    }
    assert_eq!(answers, BTreeSet::from([after]));
    assert_eq!(claim(&lattice).await.map(|(_, revision)| revision), Some(later));
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_host_lets_go_before_the_next_one_begins() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    lattice.wicker(&["deploy", &lattice.manifest("only", ONLY)]).await;
    let before = instance(&lattice, &edge).await.unwrap();
    let (first, token) = claim(&lattice).await.unwrap();
    let on = usize::from(first.process != workers[0].process);
    lattice.wicker(&["drain", &workers[on].process.to_string()]).await;
    assert!(runs_on(&lattice, &workers[1 - on]).await > token);
    assert_ne!(instance(&lattice, &edge).await.unwrap(), before);
    lattice.wicker(&["undeploy", "only"]).await;
    eventually("nobody claims it", || async { claim(&lattice).await.is_none().then_some(()) })
        .await;
}

/// Beside the singleton: what goes on without NATS.
const HELLO: &str = "
application: hello
components: {hello: IMAGE}
routes: {/hello: hello}
";

/// How long it lasts decides nothing: `lattice::store::lease` has tests of ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn singleton_ends_while_nats_is_away_and_comes_back_with_it_while_all_else_flows() {
    let mut lattice = TestLattice::start().await;
    let host = lattice.host(&["--label", "role=worker"]).await;
    lattice.wicker(&["deploy", &lattice.manifest("only", ONLY)]).await;
    let image = artifacts::example("hello").display().to_string();
    let hello = lattice.manifest("hello", &HELLO.replace("IMAGE", &image));
    lattice.wicker(&["deploy", &hello]).await;
    let before = instance(&lattice, &host).await.unwrap();
    let (_, token) = claim(&lattice).await.unwrap();
    let load = Load::start(&lattice.web, &[host.http], "/hello", 2);
    load.flows(50).await;
    lattice.nats.stop();
    eventually("nobody answers for the singleton", || async {
        instance(&lattice, &host).await.is_none().then_some(())
    })
    .await;
    eventually("the host says so", || async { host.log().contains("degraded").then_some(()) })
        .await;
    load.flows(200).await;
    lattice.nats.run();
    let after = eventually("it is back", || instance(&lattice, &host)).await;
    assert_ne!(after, before, "another instance");
    assert!(runs_on(&lattice, &host).await > token, "by a later claim");
    load.flows(50).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new(), "local calls flow throughout");
}

/// A provider in a process of its own, alone; who calls it is elsewhere.
const STORES: &str = "
application: stores
providers:
  store: {process: keyvalue-nats, singleton: true, placement: {labels: {role: worker}}}
components:
  counter: {image: IMAGE, placement: {labels: {role: edge}}}
links: {counter: {wasi:keyvalue: store}}
routes: {/: counter}
";

#[tokio::test(flavor = "multi_thread")]
async fn process_of_a_frozen_host_answers_nothing_and_another_host_launches_one() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    let image = artifacts::example("counter").display().to_string();
    let manifest = lattice.manifest("stores", &STORES.replace("IMAGE", &image));
    lattice.wicker(&["deploy", &manifest]).await;
    let counts = async || {
        let answer = lattice.web.get(edge.http, "/").await.ok()?;
        (answer.status == 200).then_some(())
    };
    counts().await.unwrap();
    let store: ObjectId = "default/stores/store".parse().unwrap();
    let before = lattice.running(&store).await.unwrap().remove(0);
    let on = workers.iter().position(|host| Some(host.process) == before.host).unwrap();
    // Its process goes on running: nobody froze that.
    workers[on].signal(Signal::STOP);
    eventually("the other host runs it", || async {
        let running = lattice.running(&store).await?;
        running.iter().any(|each| each.host == Some(workers[1 - on].process)).then_some(())
    })
    .await;
    eventually("it serves there", &counts).await;
    let interface = "wasi:keyvalue/store@0.2.0-draft";
    let source = "default/stores/counter";
    let left = ask_at(&lattice, before.process, source, store.clone(), interface).await;
    assert_eq!(left.status, Status::Unavailable, "{left}");
    assert!(left.message.contains("lease of its host has run out"), "{left}");
    workers[on].signal(Signal::CONT);
    eventually("the process of the thawed host is gone", || async {
        let left = ask_at(&lattice, before.process, source, store.clone(), interface).await;
        (!left.message.contains("lease of its host")).then_some(())
    })
    .await;
    counts().await.unwrap();
}
