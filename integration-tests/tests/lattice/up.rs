//! `wicker up` by itself: files, ports, signals, and errors that say what to do.

use std::net::TcpListener;

use integration_tests::{TestLattice, eventually};

use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn bare_component_answers_on_its_host_and_leaves_with_it() {
    let lattice = TestLattice::start().await;
    let staying = lattice.host(&[]).await;
    let hello = artifacts::example("hello").display().to_string();
    let host = lattice.host(&[&hello]).await;
    assert_eq!(
        lattice.web.get(host.http, "/any/path").await.unwrap().text(),
        "Hello from a component!"
    );
    assert_eq!(
        lattice.web.get(staying.http, "/").await.unwrap().status,
        404,
        "a bare file's route is its host's"
    );
    assert!(host.stop().await.success());
    eventually("the component has left", || async {
        let inventory = lattice.wicker(&["ps"]).await;
        inventory["components"].as_array()?.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_files_are_linked_to_each_other_and_to_the_default_store() {
    let lattice = TestLattice::start().await;
    let files = ["greeter", "gateway"].map(|name| artifacts::example(name).display().to_string());
    let host = lattice.host(&[&files[0], &files[1]]).await;
    assert_eq!(
        lattice.web.get(host.http, "/greet/Ada").await.unwrap().text(),
        "Good afternoon, Ada!"
    );
    let counter = lattice.host(&[&artifacts::example("counter").display().to_string()]).await;
    assert_eq!(lattice.web.get(counter.http, "/").await.unwrap().text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_bare_file_on_another_host_is_a_replica_and_another_file_is_refused() {
    let lattice = TestLattice::start().await;
    let hello = artifacts::example("hello").display().to_string();
    let _first = lattice.host(&[&hello]).await;
    let second = lattice.host(&[&hello]).await;
    assert_eq!(lattice.web.get(second.http, "/").await.unwrap().status, 200);
    let folder = lattice.folder().join("other");
    std::fs::create_dir_all(&folder).unwrap();
    let other = folder.join("hello.wasm");
    std::fs::copy(artifacts::example("counter"), &other).unwrap();
    let error = lattice.refused_up(&[&other.display().to_string()]).await;
    assert!(error.contains("hello"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_one_line_that_says_what_to_do() {
    let lattice = TestLattice::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = lattice.folder().join("not-a-directory");
    std::fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    for (args, expected) in [
        (vec!["--http", address.as_str()], address.as_str()),
        (vec!["--data", file.as_str()], file.as_str()),
        (vec!["--nats", "nats://127.0.0.1:1"], "127.0.0.1:1"),
        (vec!["missing.wasm"], "missing.wasm"),
    ] {
        let error = lattice.refused_up(&args).await;
        assert!(error.contains(expected), "{args:?}: {error}");
        assert_eq!(error.trim().lines().count(), 1, "{args:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_host_finishes_every_request_it_took() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&artifacts::example("hello").display().to_string()]).await;
    let load = Load::start(&lattice.web, &[host.http], "/", 8);
    load.flows(200).await;
    assert!(host.stop().await.success());
    let outcome = load.finish().await;
    // After the listener closed, connections are refused; none that was accepted broke off.
    let broken: Vec<_> =
        outcome.failures.iter().filter(|failure| !failure.contains("no answer")).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_with_mistakes_is_refused_with_every_line() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    let manifest = lattice
        .manifest("wrong", "application: wrong\ncomponent:\n  a: b.wasm\nroutes:\n  /: nobody\n");
    let error = lattice.try_wicker(&["deploy", &manifest]).await.unwrap_err();
    assert!(error.contains("wrong.yaml:2:1"), "{error}");
    assert!(error.contains("wrong.yaml:5:"), "{error}");
}
