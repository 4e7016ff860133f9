//! A lattice's state goes into a file and comes back, into a lattice that never was.

use integration_tests::load::Load;
use integration_tests::{TestLattice, eventually};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::Application;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lattice_was_runs_in_a_fresh_one() {
    let old = TestLattice::start().await;
    let hello = artifacts::example("hello").display().to_string();
    let bare = old.host(&[&hello]).await;
    for example in ["greeter", "gateway", "counter"] {
        old.wicker(&["deploy", &old.example(example)]).await;
    }
    assert_eq!(old.web.get(bare.http, "/greet/Ada").await.unwrap().text(), "Good afternoon, Ada!");
    let file = old.folder().join("lattice.backup");
    let path = file.to_str().unwrap().to_owned();
    let written = old.wicker(&["backup", &path]).await;
    assert_eq!(written["images"], 3, "{written}");

    let new = TestLattice::start().await;
    let host = new.host(&[]).await;
    let restored = new.wicker(&["restore", &path]).await;
    let names = ["default/counter", "default/gateway", "default/greeter"];
    assert_eq!(restored["applications"], serde_json::json!(names));
    for name in names {
        new.wicker(&["wait", name]).await;
    }
    assert_eq!(new.web.get(host.http, "/greet/Ada").await.unwrap().text(), "Good afternoon, Ada!");
    // The counter's store was exclusive to a host that is not here: this one starts it anew.
    eventually("the counter counts", || async {
        let answer = new.web.get(host.http, "/").await.ok()?;
        (answer.status == 200 && answer.text() == "1").then_some(())
    })
    .await;
    let again = new.wicker(&["restore", &path]).await;
    assert_eq!(again["values"], 0, "what is there is left alone");
    assert_eq!(new.store.list::<Application>(&Application::all()).await.unwrap().len(), 3);

    // What was removed comes back newer than it ever was.
    new.wicker(&["undeploy", "gateway"]).await;
    new.wicker(&["restore", &path]).await;
    new.wicker(&["wait", "gateway"]).await;
    assert_eq!(new.web.get(host.http, "/greet/Ada").await.unwrap().text(), "Good afternoon, Ada!");
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_that_is_damaged_or_in_the_way_changes_nothing() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    lattice.wicker(&["deploy", &lattice.example("greeter")]).await;
    let file = lattice.folder().join("lattice.backup");
    let path = file.to_str().unwrap();
    lattice.wicker(&["backup", path]).await;
    let other = lattice.manifest(
        "greeter",
        "application: greeter\nversion: other\nproviders:\n  greeter: keyvalue-redb\n",
    );
    lattice.wicker(&["deploy", &other]).await;
    let error = lattice.try_wicker(&["restore", path]).await.unwrap_err();
    assert!(error.contains("application.default.greeter"), "{error}");

    let whole = std::fs::read(&file).unwrap();
    for (damaged, expected) in [
        (whole[..whole.len() - 9].to_vec(), "is damaged"),
        (whole[..whole.len() / 2].to_vec(), "is damaged"),
        (b"{}".to_vec(), "is no backup"),
    ] {
        std::fs::write(&file, damaged).unwrap();
        let error = lattice.try_wicker(&["restore", path]).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_go_on_when_jetstream_has_lost_everything_and_a_backup_brings_it_back() {
    let mut lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    for example in ["greeter", "gateway"] {
        lattice.wicker(&["deploy", &lattice.example(example)]).await;
    }
    let file = lattice.folder().join("lattice.backup").display().to_string();
    lattice.wicker(&["backup", &file]).await;
    let load = Load::start(&lattice.web, &[host.http], "/greet/Ada", 2);
    load.flows(50).await;
    lattice.nats.stop();
    lattice.nats.lose_everything();
    lattice.nats.run();
    load.flows(200).await;
    eventually("it is restored", || async { lattice.try_wicker(&["restore", &file]).await.ok() })
        .await;
    eventually("the host is back in the lattice", || async {
        let ps = lattice.try_wicker(&["ps"]).await.ok()?;
        (ps["hosts"].as_array()?.len() == 1).then_some(())
    })
    .await;
    for name in ["greeter", "gateway"] {
        lattice.wicker(&["wait", name]).await;
    }
    load.flows(50).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
}
