//! A component that misbehaves hurts nobody else.

use integration_tests::TestLattice;

use crate::load::Load;

/// Two applications on one host: one answers, the other does what no component should.
const NEIGHBOURS: &str = "
application: neighbours
components:
  good: { image: '{guests}/http_hello.wasm' }
  bad:
    image: '{guests}/http_misbehave.wasm'
    limits: { memory: 32MiB, deadline: 1s }
routes:
  /good: good
  /: bad
";

#[tokio::test(flavor = "multi_thread")]
async fn misbehaviour_of_one_component_is_not_noticed_by_another() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.manifest("neighbours", NEIGHBOURS)]).await;
    let load = Load::start(&lattice.web, &[host.http], "/good", 4);
    load.flows(50).await;
    for path in ["/trap", "/spin", "/allocate", "/recurse", "/no-response", "/sleep"] {
        let answer = lattice.web.get(host.http, path).await.unwrap();
        assert!(answer.status.is_server_error(), "{path}: {}", answer.status);
        load.flows(20).await;
    }
    // The component itself goes on too: each request had an instance of its own.
    assert_eq!(lattice.web.get(host.http, "/").await.unwrap().status, 200);
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_is_denied_and_the_log_says_what_would_grant_it() {
    let lattice = TestLattice::start().await;
    let manifest = "
application: probe
components:
  probe: '{guests}/http_probe.wasm'
routes:
  /: probe
";
    let host = lattice.host(&[&lattice.manifest("probe", manifest)]).await;
    let environment = lattice.web.get(host.http, "/environment").await.unwrap();
    assert_eq!(environment.text(), "[]");
    let read = lattice.web.get(host.http, "/read?/etc/passwd").await.unwrap();
    assert!(read.text().starts_with("Err"), "{}", read.text());
    let connect = lattice.web.get(host.http, "/connect?127.0.0.1:80").await.unwrap();
    assert!(connect.text().starts_with("Err"), "{}", connect.text());
    lattice.web.get(host.http, "/print?marker").await.unwrap();
    let lines = integration_tests::eventually("the component's output is in the logs", || async {
        let lines = lattice.wicker_lines(&["logs", "probe"]).await;
        lines.iter().any(|line| line["text"] == "to stdout: marker").then_some(lines)
    })
    .await;
    let granted_by = |line: &serde_json::Value| {
        line["text"].as_str().is_some_and(|text| text.contains("grants"))
    };
    assert!(
        lines.iter().any(granted_by),
        "the denial names the manifest line that would grant it: {lines:?}"
    );
}
