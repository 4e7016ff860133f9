//! Each verb against a running lattice: what it does, and the names of the fields that scripts read.

use integration_tests::{TestHost, TestLattice, eventually};
use serde_json::{Value, json};

/// A host with the counter application on it.
async fn counter() -> (TestLattice, TestHost) {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("counter")]).await;
    (lattice, host)
}

/// The entry of a list of `wicker ps` whose `field` ends in `ending`.
fn entry(inventory: &Value, list: &str, field: &str, ending: &str) -> Option<Value> {
    let entries = inventory[list].as_array()?;
    let found = entries
        .iter()
        .find(|entry| entry[field].as_str().is_some_and(|text| text.ends_with(ending)));
    found.cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ps_shows_what_runs_where() {
    let (lattice, host) = counter().await;
    let ps = lattice.wicker(&["ps"]).await;
    assert_eq!(ps["hosts"][0]["process"], host.process.to_string());
    assert_eq!(ps["hosts"][0]["http"], host.http.to_string());
    let component = entry(&ps, "components", "object", "/counter").unwrap();
    assert_eq!(
        (&component["object"], &component["state"]),
        (&json!("default/counter/counter"), &json!("ready"))
    );
    let provider = entry(&ps, "providers", "object", "/keyvalue-redb").unwrap();
    assert_eq!(
        (&provider["implementation"], &provider["state"]),
        (&json!("keyvalue-redb"), &json!("ready"))
    );
    let link = entry(&ps, "links", "source", "/counter").unwrap();
    assert_eq!(
        (&link["target"], &link["state"]),
        (&json!("default/keyvalue-redb/keyvalue-redb"), &json!("ready"))
    );
    let route = entry(&ps, "routes", "route", "/").unwrap();
    assert_eq!(
        (&route["target"], &route["claimed_by"]),
        (&json!("default/counter/counter"), &json!("default/counter"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deploying_the_same_again_changes_nothing() {
    let (lattice, _host) = counter().await;
    let report = lattice.wicker(&["deploy", &lattice.example("counter")]).await;
    assert_eq!(report["applications"][0]["changes"], json!([]), "{report}");
    assert_eq!(report["applications"][0]["generation"], 1);
    assert_eq!(report["applications"][0]["is_ready"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn undeploy_leaves_nothing_but_the_shared_store() {
    let (lattice, host) = counter().await;
    assert_eq!(lattice.web.get(host.http, "/").await.unwrap().text(), "1");
    let report = lattice.wicker(&["undeploy", "counter"]).await;
    assert_eq!(report["application"], "default/counter");
    let ps = lattice.wicker(&["ps"]).await;
    for list in ["components", "links", "routes"] {
        assert_eq!(ps[list], json!([]), "{list}");
    }
    eventually("the route is gone", || async {
        let answer = lattice.web.get(host.http, "/").await.ok()?;
        (answer.status == 404).then_some(())
    })
    .await;
    let error = lattice.try_wicker(&["undeploy", "counter"]).await.unwrap_err();
    assert!(error.contains("no application is called `counter`"), "{error}");
    lattice.wicker(&["deploy", &lattice.example("counter")]).await;
    assert_eq!(
        lattice.web.get(host.http, "/").await.unwrap().text(),
        "2",
        "the store kept its data"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_that_cannot_become_ready_says_why() {
    let (lattice, _host) = counter().await;
    let manifest = lattice.manifest(
        "broken",
        "application: broken\nproviders:\n  store:\n    builtin: keyvalue-redis\n    config: {uri: 'redis://127.0.0.1:6379'}\n",
    );
    let error = lattice.try_wicker(&["deploy", "--timeout", "20", &manifest]).await.unwrap_err();
    assert!(error.contains("broken/store on") && error.contains("`uri`"), "{error}");
    let manifest = lattice.manifest("nowhere", "application: nowhere\nproviders:\n  store:\n    builtin: keyvalue-redis\n    placement: {labels: {zone: mars}}\n");
    let error = lattice.try_wicker(&["deploy", &manifest]).await.unwrap_err();
    assert!(error.contains("nowhere.yaml:5:5: no host carries {zone: mars}"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn route_of_another_application_is_refused() {
    let (lattice, _host) = counter().await;
    let hello = artifacts::example("hello").display().to_string();
    let text = format!("application: rival\ncomponents:\n  hello: {hello}\nroutes:\n  /: hello\n");
    let error =
        lattice.try_wicker(&["deploy", &lattice.manifest("rival", &text)]).await.unwrap_err();
    assert!(error.contains("rival.yaml:5:3: the route / is taken by default/counter"), "{error}");
    let ps = lattice.wicker(&["ps"]).await;
    assert!(
        entry(&ps, "components", "object", "rival/hello").is_none(),
        "nothing of it is deployed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn link_set_says_from_and_to_and_starts_a_builtin() {
    let (lattice, host) = counter().await;
    assert_eq!(lattice.web.get(host.http, "/").await.unwrap().text(), "1");
    let report =
        lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", "keyvalue-nats"]).await;
    assert_eq!(report[0]["from"], "default/keyvalue-redb/keyvalue-redb");
    assert_eq!(report[0]["target"], "default/keyvalue-nats/keyvalue-nats");
    assert_eq!(report[0]["state"], "ready");
    eventually("the other store counts", || async {
        (lattice.web.get(host.http, "/").await.ok()?.text() == "1").then_some(())
    })
    .await;
    let links = lattice.wicker(&["link", "ls", "counter"]).await;
    assert_eq!(links[0]["target"], "default/keyvalue-nats/keyvalue-nats");
}

#[tokio::test(flavor = "multi_thread")]
async fn link_to_what_is_not_there_is_pending_and_said() {
    let (lattice, _host) = counter().await;
    let report =
        lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", "default/later/store"]).await;
    assert_eq!(report[0]["state"], "pending");
    let removed = lattice.wicker(&["link", "rm", "counter", "wasi:keyvalue"]).await;
    assert_eq!(removed[0]["target"], "default/later/store");
    assert_eq!(lattice.wicker(&["link", "ls"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn link_that_cannot_work_is_refused() {
    let (lattice, _host) = counter().await;
    for (args, expected) in [
        (["nobody", "wasi:keyvalue", "keyvalue-redb"], "nothing in the lattice is called `nobody`"),
        (["counter", "wasi:keyvalue", "nobody"], "nothing in the lattice is called `nobody`"),
        (
            ["counter", "wasi:sql", "keyvalue-redb"],
            "counter does not import wasi:sql; it imports wasi:keyvalue@",
        ),
        (["counter", "wasi:keyvalue", "http-client"], "http-client cannot serve counter"),
        (["counter", "wasi:keyvalue", "acme/kv/kv"], "team `acme` offers no acme/kv/kv"),
    ] {
        let error = lattice.try_wicker(&[&["link", "set"], &args[..]].concat()).await.unwrap_err();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn link_set_says_that_the_provider_cannot_serve_the_link() {
    let (lattice, _host) = counter().await;
    let _process = lattice.provider("keyvalue-redis", "default/cache/redis").await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = format!("url=redis://{nobody}");
    for target in ["keyvalue-redis", "cache/redis"] {
        for (config, state) in [("colour=blue", "refused"), (&unreachable, "failing")] {
            let set = ["link", "set", "counter", "wasi:keyvalue", target, "--config", config];
            let (code, report) = lattice.exit_code(&set).await;
            assert_eq!((code, &report[0]["state"]), (Some(1), &json!(state)), "{target}: {report}");
            let reason = report[0]["reason"].as_str().unwrap();
            let named = if state == "refused" { "colour" } else { "127.0.0.1" };
            assert!(reason.contains(named), "{target}: {reason}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_shows_objects_hosts_and_files() {
    let (lattice, host) = counter().await;
    let object = lattice.wicker(&["inspect", "counter"]).await;
    assert_eq!(object["object"], "default/counter/counter");
    assert_eq!(object["running"][0]["state"], "ready");
    assert_eq!(object["links"][0]["target"], "default/keyvalue-redb/keyvalue-redb");
    let imports = object["world"]["imports"].as_array().unwrap();
    let is_store =
        |import: &Value| import["interface"].as_str().unwrap().starts_with("wasi:keyvalue/store@");
    assert!(imports.iter().any(is_store), "{object}");

    let id = host.process.to_string();
    let found = lattice.wicker(&["inspect", &id[id.len() - 8..]]).await;
    assert_eq!(found["process"], id);
    assert_eq!(found["components"][0]["object"], "default/counter/counter");

    let file =
        lattice.wicker(&["inspect", &artifacts::example("counter").display().to_string()]).await;
    assert_eq!(file["digest"], object["component"]["digest"]);
    assert_eq!(file["world"], object["world"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_of_a_link_as_it_is_set() {
    let (lattice, _host) = counter().await;
    let heard = async {
        loop {
            let lines = lattice.wicker_lines(&["events", "counter", "--limit", "1"]).await;
            if lines[0]["kind"] == "link-set" {
                return lines;
            }
        }
    };
    let setting = async {
        loop {
            lattice.wicker(&["link", "set", "counter", "wasi:keyvalue", "keyvalue-redb"]).await;
        }
    };
    let lines = tokio::select! {
        lines = heard => lines,
        () = setting => unreachable!("it goes on until it is heard"),
    };
    assert_eq!(lines[0]["object"], "default/counter/counter");
}
