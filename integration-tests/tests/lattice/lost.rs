//! Processes that die without a word: who says so, and what is cleared up after them.

use integration_tests::{TestHost, TestLattice, eventually};
use rustix::process::Signal;
use serde_json::Value;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Host, ProviderProcess, Running};

/// What `wicker ps` says of a host: its row.
async fn row(lattice: &TestLattice, host: &TestHost) -> Option<Value> {
    let ps = lattice.try_wicker(&["ps"]).await.ok()?;
    let rows = ps["hosts"].as_array()?;
    rows.iter().find(|row| row["process"] == host.process.to_string()).cloned()
}

/// Waits until `wicker ps` shows the host in this state.
async fn is_shown(lattice: &TestLattice, host: &TestHost, state: &str) {
    eventually(state, || async {
        row(lattice, host).await.filter(|row| row["state"] == state).map(drop)
    })
    .await;
}

/// The status records that a process has left.
async fn left_by(lattice: &TestLattice, host: &TestHost) -> Vec<ObjectId> {
    let entries = lattice.store.list::<Running>(&Running::all()).await.unwrap();
    let running = entries.into_iter().map(|entry| entry.record);
    running.filter(|running| running.process == host.process).map(|each| each.object).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_host_is_told_of_once_and_cleared_up_after_even_if_it_was_the_leader() {
    let lattice = TestLattice::start().await;
    let hello = lattice.example("hello");
    // The first host of a lattice is its leader.
    let leader = lattice.host(&[&hello]).await;
    let victim = lattice.host(&[&artifacts::example("greeter").display().to_string()]).await;
    let survivors = [lattice.host(&[]).await, lattice.host(&[]).await];
    let events = lattice.events().await;
    assert!(!left_by(&lattice, &leader).await.is_empty());
    for dead in [&leader, &victim] {
        dead.kill();
        is_shown(&lattice, dead, "lost").await;
        assert_eq!(left_by(&lattice, dead).await, Vec::<ObjectId>::new());
    }
    for alive in &survivors {
        is_shown(&lattice, alive, "ready").await;
    }
    // The second death was told after whatever the survivors had to say about the first.
    let told = eventually("both deaths are told", || async {
        let told = events.of("host-lost");
        (told.len() >= 2).then_some(told)
    })
    .await;
    for dead in [&leader, &victim] {
        let id = dead.process.to_string();
        assert_eq!(told.iter().filter(|message| message.contains(&id)).count(), 1, "{told:?}");
    }
    assert_eq!(told.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_host_is_lost_and_says_everything_again_when_it_thaws() {
    let lattice = TestLattice::start().await;
    let _leader = lattice.host(&[]).await;
    let frozen = lattice.host(&[&artifacts::example("hello").display().to_string()]).await;
    let before = left_by(&lattice, &frozen).await;
    assert!(!before.is_empty());
    frozen.signal(Signal::STOP);
    is_shown(&lattice, &frozen, "lost").await;
    assert_eq!(left_by(&lattice, &frozen).await, Vec::<ObjectId>::new());
    frozen.signal(Signal::CONT);
    is_shown(&lattice, &frozen, "ready").await;
    eventually("it says again what it runs", || async {
        (left_by(&lattice, &frozen).await == before).then_some(())
    })
    .await;
    assert_eq!(lattice.web.get(frozen.http, "/").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_nats_is_away() {
    let mut lattice = TestLattice::start().await;
    let hosts = [lattice.host(&[]).await, lattice.host(&[]).await];
    let before = lattice.store.list::<Host>(&Host::all()).await.unwrap();
    lattice.nats.stop();
    eventually("the hosts are without NATS for longer than a lease", || async {
        hosts.iter().all(|host| host.log().contains("degraded")).then_some(())
    })
    .await;
    lattice.nats.run();
    eventually("every host renews its lease again", || async {
        let now = lattice.store.list::<Host>(&Host::all()).await.ok()?;
        let beat = |process| now.iter().find(|entry| entry.record.process == process);
        let is_back = |entry: &wicker_lattice::store::Entry<Host>| {
            // Three beats on, whoever is the leader has looked at all leases again.
            beat(entry.record.process).is_some_and(|now| now.record.beat > entry.record.beat + 6)
        };
        before.iter().all(is_back).then_some(())
    })
    .await;
    for host in &hosts {
        assert!(!host.log().contains("is lost"), "{}", host.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_process_that_was_killed_leaves_no_record() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    let mut provider = lattice.provider("keyvalue-nats", "default/stores/store").await;
    let object: ObjectId = "default/stores/store".parse().unwrap();
    let events = lattice.events().await;
    provider.start_kill().unwrap();
    eventually("its status is gone", || async {
        lattice.running(&object).await.is_none().then_some(())
    })
    .await;
    eventually("its lease is gone", || async {
        let leases = lattice.store.list::<ProviderProcess>(&ProviderProcess::all()).await.ok()?;
        leases.is_empty().then_some(())
    })
    .await;
    eventually("it is told", || async { (events.of("object-failed").len() == 1).then_some(()) })
        .await;
}
