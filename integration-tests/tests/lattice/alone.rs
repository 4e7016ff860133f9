//! A host that starts its own NATS server; and one that is told to stop before it has started.

use std::net::TcpListener;

use integration_tests::{LoneHost, TestLattice, eventually};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Component, Host, Placement, Route};

fn pid(file: &std::path::Path) -> Option<Pid> {
    Pid::from_raw(std::fs::read_to_string(file).ok()?.trim().parse().ok()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn server_of_a_killed_host_is_taken_over_by_the_next_one_and_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut first = LoneHost::start(&data, &port).await;
    let server = pid(&data.join("nats.pid")).unwrap();
    first.child.start_kill().unwrap();
    first.child.wait().await.unwrap();
    assert!(test_kill_process(server).is_ok(), "a killed host takes nothing with it");

    let mut second = LoneHost::start(&data, &port).await;
    assert_eq!(pid(&data.join("nats.pid")), Some(server));
    assert_eq!(second.started["nats"], first.started["nats"]);
    let host = Pid::from_raw(second.child.id().unwrap().cast_signed()).unwrap();
    kill_process(host, Signal::TERM).unwrap();
    assert!(second.child.wait().await.unwrap().success());
    // Whoever inherited it may not have collected it yet: then it is a process without a command line.
    eventually("the server has ended", || async {
        let line = std::fs::read(format!("/proc/{}/cmdline", server.as_raw_nonzero()));
        line.unwrap_or_default().is_empty().then_some(())
    })
    .await;
    assert!(!data.join("nats.pid").exists() && !data.join("nats.url").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_is_stopped_while_it_starts_leaves_no_record() {
    let lattice = TestLattice::start().await;
    let hello = artifacts::example("hello").display().to_string();
    // Nothing is compiled yet, so that the component is on its way for a while.
    let cache = lattice.folder().join("cache").display().to_string();
    let mut starting = lattice.starting(&["--cache", &cache, &hello]);
    eventually("the component's record is there", || async {
        let components = lattice.store.list::<Component>(&Component::all()).await.ok()?;
        (!components.is_empty()).then_some(())
    })
    .await;
    let host = Pid::from_raw(starting.id().unwrap().cast_signed()).unwrap();
    kill_process(host, Signal::TERM).unwrap();
    assert!(starting.wait().await.unwrap().success());
    assert_eq!(lattice.store.list::<Component>(&Component::all()).await.unwrap(), []);
    assert_eq!(lattice.store.list::<Placement>(&Placement::all()).await.unwrap(), []);
    assert_eq!(lattice.store.list::<Route>(&Route::all()).await.unwrap(), []);
    assert_eq!(lattice.store.list::<Host>(&Host::all()).await.unwrap(), []);
}
