//! Two components of two applications, composed over an interface of their own.

use integration_tests::{TestLattice, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn components_compose_on_one_host() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("greeter"), &lattice.example("gateway")]).await;
    let answer = lattice.web.get(host.http, "/greet/Ada?morning").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "Good morning, Ada!"));
    let refusal = lattice.web.get(host.http, "/greet/Mallory").await.unwrap();
    assert_eq!((refusal.status.as_u16(), refusal.text().as_str()), (403, "not Mallory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn components_compose_across_two_hosts() {
    let lattice = TestLattice::start().await;
    let greeter = lattice.host(&[&lattice.example("greeter")]).await;
    let gateway = lattice.host(&["--label", "role=edge"]).await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    for host in [&gateway, &greeter] {
        // The route belongs to the lattice: both listeners answer it.
        let answer = lattice.web.get(host.http, "/greet/Ada?evening").await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "Good evening, Ada!"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn import_without_its_target_is_pending_until_the_target_comes() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    lattice.wicker(&["deploy", "--detach", &lattice.example("gateway")]).await;
    eventually("the gateway runs, pending", || async {
        let inventory = lattice.wicker(&["ps"]).await;
        let components = inventory["components"].as_array()?.clone();
        components.iter().any(|component| component["state"] == "pending").then_some(())
    })
    .await;
    let answer = lattice.web.get(host.http, "/greet/Ada").await.unwrap();
    assert!(answer.status.is_server_error(), "{}", answer.status);
    lattice.wicker(&["deploy", &lattice.example("greeter")]).await;
    eventually("the gateway answers", || async {
        let answer = lattice.web.get(host.http, "/greet/Ada").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_calls_a_component_in_wave() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[&lattice.example("greeter")]).await;
    let person = r#"{name: "Ada", titles: ["Countess"]}"#;
    let result = lattice
        .wicker(&["call", "greeter", "example:greeter/greet.greet", person, "morning"])
        .await;
    assert_eq!(result["result"], r#"ok("Good morning, Countess Ada!")"#);
    let wrong = lattice
        .try_wicker(&["call", "greeter", "example:greeter/greet.greet", "7", "morning"])
        .await;
    assert!(wrong.unwrap_err().contains("name: string"), "the error shows the signature");
}
