//! Both sides of a link agree on the signatures; and what is seen when one of them changes.

use integration_tests::{TestLattice, eventually};

/// The greeter, by another component.
const GREETER: &str = "
application: greeter
components:
  greeter: IMAGE
";

async fn link_is(lattice: &TestLattice, state: &str) -> String {
    eventually(state, || async {
        let gateway = lattice.try_wicker(&["inspect", "gateway"]).await.ok()?;
        let link = gateway["links"].as_array()?.first()?.clone();
        let reason = link["reason"].as_str().unwrap_or_default().to_owned();
        (link["state"] == state).then_some(reason)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn target_that_changes_its_signatures_is_reported_and_calls_fail_typed() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let _worker = lattice.host(&["--label", "role=worker"]).await;
    lattice.wicker(&["deploy", &lattice.example_on("greeter", "worker")]).await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    assert_eq!(lattice.web.get(edge.http, "/greet/Ada").await.unwrap().status, 200);
    assert_eq!(link_is(&lattice, "ready").await, "");

    let events = lattice.events().await;
    let changed = artifacts::guest("greeter-changed").display().to_string();
    let manifest = lattice.manifest("changed", &GREETER.replace("IMAGE", &changed));
    lattice.wicker(&["deploy", &manifest]).await;
    let reason = link_is(&lattice, "incompatible").await;
    let told = eventually("it is told", || async { events.of("link-incompatible").pop() }).await;
    let component = eventually("the component says it, too", || async {
        let ps = lattice.wicker(&["ps"]).await;
        let rows = ps["components"].as_array()?.clone();
        let row = rows.into_iter().find(|row| row["object"] == "default/gateway/gateway")?;
        (row["state"] == "degraded").then(|| row["reason"].as_str().unwrap().to_owned())
    })
    .await;
    for text in [&reason, &told, &component] {
        assert!(text.contains("example:greeter/greet@1.0.0 `greet` as func("), "{text}");
    }
    let answer = lattice.web.get(edge.http, "/greet/Ada").await.unwrap();
    assert!(answer.status.is_server_error(), "{}: {}", answer.status, answer.text());

    lattice.wicker(&["deploy", &lattice.example_on("greeter", "worker")]).await;
    link_is(&lattice, "ready").await;
    eventually("calls work again", || async {
        let answer = lattice.web.get(edge.http, "/greet/Ada").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_a_provider_of_somebody_elses_are_checked_by_what_it_registered() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[&lattice.example("gateway"), &lattice.example("counter")]).await;
    let _provider = lattice.provider("keyvalue-nats", "default/stores/store").await;
    let refused = "does not export example:greeter/greet@1.0.0";
    let error =
        lattice.try_wicker(&["link", "set", "gateway", "example:greeter", "stores/store"]).await;
    assert!(error.as_ref().unwrap_err().contains(refused), "{error:?}");
    let gateway = artifacts::example("gateway").display().to_string();
    let manifest = lattice.manifest(
        "wrong",
        &format!("application: wrong\ncomponents:\n  gateway: {gateway}\nlinks:\n  gateway:\n    example:greeter: stores/store\n"),
    );
    let error = lattice.try_wicker(&["deploy", "--detach", &manifest]).await;
    assert!(error.as_ref().unwrap_err().contains(refused), "{error:?}");
    lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", "stores/store"]).await;
}
