//! Components that say whether they are ready: versions that are not are taken back, replicas that are not take no calls.

use integration_tests::{TestHost, TestLattice, eventually};
use serde_json::{Value, json};

use crate::load::Load;

/// Two replicas of a component that is asked; `rest` is what differs from version to version.
fn probe(lattice: &TestLattice, ready: &str, rest: &str) -> String {
    let folder = lattice.folder().join("state");
    std::fs::create_dir_all(&folder).unwrap();
    lattice.manifest(
        "probe",
        &format!(
            "
application: probe
components:
  probe:
    image: {{guests}}/http_probe.wasm
    replicas: 2
    warm: 1
    limits: {{concurrency: 1}}
    ready: {ready}
    grants: {{files: [{{host: {}, guest: /state, write: true}}]}}
    {rest}
routes:
  /: probe
",
            folder.display()
        ),
    )
}

/// The rows that `wicker status` shows of the component.
async fn rows(lattice: &TestLattice) -> Vec<Value> {
    let status = lattice.wicker(&["status", "probe"]).await;
    status["applications"][0]["objects"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn version_that_is_not_ready_changes_one_host_at_most_and_is_taken_back() {
    let lattice = TestLattice::start().await;
    let hosts = [lattice.host(&[]).await, lattice.host(&[]).await];
    let ready = "{path: /ready, interval: 100ms, failures: 2}";
    lattice.wicker(&["deploy", &probe(&lattice, ready, "config: {ready: yes}")]).await;
    let load = Load::start(&lattice.web, &[hosts[0].http, hosts[1].http], "/instance", 4);
    load.flows(100).await;
    let changed = probe(&lattice, ready, "config: {ready: no}");
    let refused = lattice.try_wicker(&["deploy", &changed]).await.unwrap_err();
    assert!(refused.contains("it is not ready: GET /ready answered 503"), "{refused}");
    assert!(refused.contains("it is generation 1 again"), "{refused}");
    load.flows(100).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
    for row in rows(&lattice).await {
        assert_eq!((&row["running_generation"], &row["is_ready"]), (&json!(3), &json!(true)));
    }
    let tried = |host: &&TestHost| {
        host.log().contains("cannot start default/probe/probe")
            || host.log().contains("generation 2")
    };
    assert_eq!(hosts.iter().filter(tried).count(), 1, "the second host never tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_is_not_ready_takes_no_calls_and_others_do() {
    let lattice = TestLattice::start().await;
    let hosts = [lattice.host(&[]).await, lattice.host(&[]).await];
    // One bad answer makes a replica unready for a while: until it is asked again.
    let ready = "{path: /ready, interval: 2s, failures: 1}";
    lattice.wicker(&["deploy", &probe(&lattice, ready, "config: {}")]).await;
    let instance = async |host: &TestHost| {
        let answer = lattice.web.get(host.http, "/instance").await.unwrap();
        (answer.status == 200).then(|| answer.text())
    };
    let own = [instance(&hosts[0]).await.unwrap(), instance(&hosts[1]).await.unwrap()];
    assert_ne!(own[0], own[1], "each host answers by its own replica");
    let (folder, is_unready) =
        (lattice.folder().join("state"), |row: &Value| row["state"] == "unready");
    let hit = || std::fs::write(folder.join("unready"), "").unwrap();
    let row = eventually("one replica is not ready", || async {
        hit();
        rows(&lattice).await.into_iter().find(is_unready)
    })
    .await;
    assert_eq!(row["reason"], "GET /ready answered 503 Service Unavailable");
    eventually("the other replica answers for it", || async {
        hit();
        let answers = [instance(&hosts[0]).await?, instance(&hosts[1]).await?];
        (answers[0] == own[1] || answers[1] == own[0]).then_some(())
    })
    .await;
    _ = std::fs::remove_file(folder.join("unready"));
    eventually("each host answers by itself again", || async {
        (instance(&hosts[0]).await? == own[0] && instance(&hosts[1]).await? == own[1]).then_some(())
    })
    .await;
    eventually("both are ready again", || async {
        (!rows(&lattice).await.iter().any(is_unready)).then_some(())
    })
    .await;
}
