//! What a call costs on the wire, by the NATS server's own count.

use integration_tests::TestLattice;

const CALLS: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn remote_unary_call_is_two_messages() {
    let lattice = TestLattice::start().await;
    let _worker = lattice.host(&[&lattice.example("greeter")]).await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    lattice.web.get(edge.http, "/greet/Ada").await.unwrap();

    let before = messages(&lattice);
    for _ in 0..CALLS {
        assert_eq!(lattice.web.get(edge.http, "/greet/Ada").await.unwrap().status, 200);
    }
    let used = messages(&lattice) - before;
    // Leases of two hosts and the like pass meanwhile: far fewer than one a call.
    assert!(
        (2 * CALLS..2 * CALLS + CALLS / 2).contains(&used),
        "{used} messages for {CALLS} calls"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn local_call_is_no_message() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("greeter"), &lattice.example("gateway")]).await;
    lattice.web.get(host.http, "/greet/Ada").await.unwrap();
    let before = messages(&lattice);
    for _ in 0..CALLS {
        assert_eq!(lattice.web.get(host.http, "/greet/Ada").await.unwrap().status, 200);
    }
    let used = messages(&lattice) - before;
    assert!(used < CALLS / 2, "{used} messages for {CALLS} calls on one host");
}

/// Messages that the server has taken in.
fn messages(lattice: &TestLattice) -> u64 {
    let varz = lattice.nats.statistics("varz").unwrap();
    let varz: serde_json::Value = serde_json::from_str(&varz).unwrap();
    varz["in_msgs"].as_u64().unwrap()
}
