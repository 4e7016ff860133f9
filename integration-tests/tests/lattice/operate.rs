//! What operators do with applications and hosts while everything runs.

use integration_tests::{TestHost, TestLattice, eventually};
use serde_json::{Value, json};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Component, Placement};

use crate::keep::version;
use crate::load::Load;

fn greeter(image: &str, rest: &str) -> String {
    format!("application: greeter\ncomponents:\n  greeter:\n    image: {image}\n{rest}")
}

async fn deploy(lattice: &TestLattice, number: u8, rest: &str) -> Value {
    let text = greeter(&version(lattice, number), rest);
    lattice.wicker(&["deploy", &lattice.manifest("greeter", &text)]).await
}

async fn digest(lattice: &TestLattice) -> String {
    let components = lattice.store.list::<Component>(&Component::all()).await.unwrap();
    let greeter = components.iter().find(|entry| entry.record.id.name() == "greeter");
    greeter.unwrap().record.digest.clone()
}

/// How many hosts the greeter is placed on, and whether `host` is one.
async fn placed(lattice: &TestLattice, host: &TestHost) -> (usize, bool) {
    let placements = lattice.store.list::<Placement>(&Placement::all()).await.unwrap();
    let hosts = placements.iter().filter(|entry| entry.record.object.name() == "greeter");
    let hosts: Vec<_> = hosts.map(|entry| entry.record.host).collect();
    (hosts.len(), hosts.contains(&host.process))
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_makes_an_application_what_it_was() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    deploy(&lattice, 1, "").await;
    let first = digest(&lattice).await;
    deploy(&lattice, 2, "").await;
    assert_ne!(digest(&lattice).await, first);
    let report = lattice.wicker(&["rollback", "greeter"]).await;
    assert_eq!(report["applications"][0]["generation"], 3);
    assert_eq!(report["applications"][0]["is_ready"], true);
    assert_eq!(digest(&lattice).await, first);
    let history = lattice.wicker(&["history", "greeter"]).await;
    let rows = history["deployments"].as_array().unwrap();
    let row = |row: &Value| (row["generation"].clone(), row["restores"].clone());
    assert_eq!(
        rows.iter().map(row).collect::<Vec<_>>(),
        [(json!(3), json!(1)), (json!(2), Value::Null), (json!(1), Value::Null)]
    );
    assert!(rows.iter().all(|row| row["at"].is_string()), "{history}");
    let error = lattice.try_wicker(&["rollback", "greeter", "--to", "9"]).await.unwrap_err();
    assert!(error.contains("default/greeter has no deployment of generation 9"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_says_what_deploy_would_change_and_changes_nothing() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    let text = greeter(&version(&lattice, 1), "");
    let manifest = lattice.manifest("greeter", &text);
    let (code, report) = lattice.exit_code(&["diff", &manifest]).await;
    assert_eq!(code, Some(1));
    assert_eq!(report["applications"][0]["changes"][1]["action"], "create", "{report}");
    assert_eq!(lattice.wicker(&["ps"]).await["components"], json!([]));
    lattice.wicker(&["deploy", &manifest]).await;
    let (code, report) = lattice.exit_code(&["diff", &manifest]).await;
    assert_eq!((code, &report["applications"][0]["changes"]), (Some(0), &json!([])));
    let changed = format!("{text}    limits: {{memory: 32MiB}}\n");
    let (code, report) = lattice.exit_code(&["diff", &lattice.manifest("changed", &changed)]).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        report["applications"][0]["changes"],
        json!([{
            "action": "update",
            "kind": "component",
            "name": "greeter",
            "fields": [{"field": "limits.memory_bytes", "from": null, "to": 32 << 20}],
        }])
    );
    let (code, _) = lattice.exit_code(&["diff", "no-such-file.yaml"]).await;
    assert_eq!(code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_changes_the_number_of_hosts_and_restarts_nothing() {
    let lattice = TestLattice::start().await;
    let first = lattice.host(&[]).await;
    let _second = lattice.host(&[]).await;
    deploy(&lattice, 1, "").await;
    let report = lattice.wicker(&["scale", "greeter", "2"]).await;
    assert_eq!((&report["from"], &report["replicas"]), (&json!(1), &json!(2)));
    assert_eq!(report["objects"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(placed(&lattice, &first).await.0, 2);
    let status = lattice.wicker(&["status", "greeter"]).await;
    let objects = status["applications"][0]["objects"].as_array().unwrap();
    assert!(objects.iter().all(|each| each["running_generation"] == 1), "{status}");
    lattice.wicker(&["scale", "greeter", "1"]).await;
    eventually("one host has it", || async {
        (placed(&lattice, &first).await.0 == 1).then_some(())
    })
    .await;
    let error = lattice.try_wicker(&["scale", "greeter", "0"]).await.unwrap_err();
    assert!(error.contains("expected 1 or more"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_hosts_end_the_wait_and_are_explained() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&["--label", "zone=a"]).await;
    let short = "    replicas: 2\n    placement: {labels: {zone: a}}\n";
    let report = deploy(&lattice, 1, short).await;
    let shortage = "default/greeter/greeter wants 2 hosts, 1 match {zone: a}";
    assert_eq!(report["applications"][0]["notes"], json!([shortage]));
    let waited = lattice.wicker(&["wait", "greeter"]).await;
    assert_eq!((&waited["state"], &waited["reason"]), (&json!("short"), &json!(shortage)));
    let status = lattice.wicker(&["status"]).await;
    assert_eq!(status["applications"][0]["state"], "short");
    assert_eq!(status["applications"][0]["objects"][0]["is_ready"], true);
    let _other = lattice.host(&["--label", "zone=b"]).await;
    let explained = lattice.wicker(&["explain", "greeter"]).await;
    let object = &explained["objects"][0];
    assert_eq!(object["missing"], shortage);
    let mut verdicts: Vec<(bool, String)> = object["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| (host["is_chosen"] == true, host["reason"].as_str().unwrap().to_owned()))
        .collect();
    verdicts.sort();
    assert_eq!(
        verdicts,
        [
            (false, "it does not carry {zone: a}".to_owned()),
            (true, "it runs there already".to_owned()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_application_stays_as_it_is() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    deploy(&lattice, 1, "").await;
    lattice.wicker(&["pause", "greeter"]).await;
    let text = greeter(&version(&lattice, 2), "");
    let manifest = lattice.manifest("greeter", &text);
    let error = lattice.try_wicker(&["deploy", &manifest]).await.unwrap_err();
    assert!(error.contains("default/greeter is paused: `wicker resume"), "{error}");
    let status = lattice.wicker(&["status", "greeter"]).await;
    let object = &status["applications"][0]["objects"][0];
    assert_eq!(object["reason"], "generation 1 still runs");
    assert_eq!((&object["generation"], &object["running_generation"]), (&json!(2), &json!(1)));
    assert_eq!(lattice.wicker(&["resume", "greeter"]).await["is_paused"], false);
    let waited = lattice.wicker(&["wait", "greeter"]).await;
    assert_eq!((&waited["state"], &waited["generation"]), (&json!("ready"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_host_hands_over_and_lives_on() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let workers = [
        lattice.host(&["--label", "role=worker"]).await,
        lattice.host(&["--label", "role=worker"]).await,
    ];
    deploy(&lattice, 1, "    placement: {labels: {role: worker}}\n").await;
    lattice.wicker(&["deploy", &lattice.example_on("gateway", "edge")]).await;
    let load = Load::start(&lattice.web, &[edge.http], "/greet/Ada", 4);
    load.flows(50).await;
    let on_first = placed(&lattice, &workers[0]).await.1;
    let draining = if on_first { &workers[0] } else { &workers[1] };
    let id = draining.process.to_string();
    let report = lattice.wicker(&["drain", &id]).await;
    assert_eq!(report["moved"], json!(["default/greeter/greeter"]), "{report}");
    assert_eq!(placed(&lattice, draining).await, (1, false));
    let drained = async || {
        let ps = lattice.wicker(&["ps"]).await;
        let hosts = ps["hosts"].as_array().unwrap();
        hosts.iter().find(|host| host["process"] == id).unwrap()["state"].clone()
    };
    assert_eq!(drained().await, "draining");
    load.flows(50).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
    let report = lattice.wicker(&["drain", &id, "--undo"]).await;
    assert_eq!((&report["is_draining"], drained().await), (&json!(false), json!("ready")));
    assert_eq!(placed(&lattice, draining).await, (1, false), "nothing moves back");
}

#[tokio::test(flavor = "multi_thread")]
async fn overlay_says_what_differs_in_an_environment() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&["--label", "zone=a"]).await;
    let manifest = lattice.manifest("greeter", &greeter(&version(&lattice, 1), ""));
    let overlay =
        "components:\n  greeter:\n    placement: {labels: {zone: a}}\n    config: {stage: prod}\n";
    let overlay = lattice.manifest("prod", overlay);
    lattice.wicker(&["deploy", &manifest, "--overlay", &overlay]).await;
    let components = lattice.store.list::<Component>(&Component::all()).await.unwrap();
    let greeter = &components[0].record;
    assert_eq!((&*greeter.config["stage"], &*greeter.spread.labels["zone"]), ("prod", "a"));
    let (code, _) = lattice.exit_code(&["diff", &manifest, "--overlay", &overlay]).await;
    assert_eq!(code, Some(0));
    let wrong = lattice.manifest("wrong", "components:\n  greater: {replicas: 2}\n");
    let error = lattice.try_wicker(&["deploy", &manifest, "--overlay", &wrong]).await.unwrap_err();
    assert!(error.contains("wrong.yaml:2:3: `greater` is no component of"), "{error}");
}
