//! Guests in other languages, as their common tools build them: tens of megabytes, and imports of all that there is.

use std::path::{Path, PathBuf};

use integration_tests::{TestLattice, compile};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};

async fn answers_and_survives_its_errors(build: fn() -> PathBuf, expected: &str) {
    let guest = tokio::task::spawn_blocking(build).await.unwrap();
    compile(&guest).await;
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&guest.display().to_string()]).await;
    assert_eq!(lattice.web.get(host.http, "/a/path").await.unwrap().text(), expected);
    assert_eq!(lattice.web.get(host.http, "/throw").await.unwrap().status, 500);
    assert_eq!(lattice.web.get(host.http, "/a/path").await.unwrap().text(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_made_of_javascript_answers_requests() {
    let expected = r#"{"method":"GET","path":"/a/path","text":""}"#;
    answers_and_survives_its_errors(artifacts::javascript, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_made_of_python_answers_requests() {
    let expected = r#"{"method": "GET", "path": "/a/path"}"#;
    answers_and_survives_its_errors(artifacts::python, expected).await;
}

const MARKET: &str = "
application: market
components:
  hub: '{guests}/hub.wasm'
  stock: PYTHON
  till: JAVASCRIPT
  tally: CLANG
links:
  hub:
    shop:inventory: stock
    shop:payments: till
    test:tally: tally
";

#[tokio::test(flavor = "multi_thread")]
async fn components_of_four_languages_are_one_application() {
    let parts = [
        ("PYTHON", artifacts::shop_inventory as fn() -> PathBuf),
        ("JAVASCRIPT", artifacts::shop_payments),
        ("CLANG", artifacts::c),
    ];
    let mut manifest = MARKET.to_owned();
    for (name, build) in parts {
        let built = tokio::task::spawn_blocking(build).await.unwrap();
        compile(&built).await;
        manifest = manifest.replace(name, &built.display().to_string());
    }
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[]).await;
    lattice.wicker(&["deploy", &lattice.manifest("market", &manifest)]).await;
    let sell = ["call", "hub", "test:hub/hub.sell", "\"teapot\"", "\"ada\""];
    let sold = lattice.wicker(&sell).await["result"].to_string();
    assert!(
        sold.contains("ok(") && sold.contains("teapot for ") && sold.contains(" EUR: "),
        "{sold}"
    );
    let unsold = ["call", "hub", "test:hub/hub.sell", "\"unicorn\"", "\"ada\""];
    assert_eq!(lattice.wicker(&unsold).await["result"], r#"err("there is none")"#);
    let total = ["call", "tally", "test:tally/tally.total", "[1, 2, 4000000000]"];
    assert_eq!(lattice.wicker(&total).await["result"], "4000000003");
    let label = ["call", "tally", "test:tally/tally.label", "5"];
    assert_eq!(lattice.wicker(&label).await["result"], r#""0.05 EUR""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_was_composed_before_runs_as_any_other() {
    let composed = plugged(&artifacts::example("gateway"), &artifacts::example("greeter"));
    let lattice = TestLattice::start().await;
    let file = lattice.folder().join("composed.wasm");
    std::fs::write(&file, composed).unwrap();
    let host = lattice.host(&[&file.display().to_string()]).await;
    let answer = lattice.web.get(host.http, "/greet/Ada?morning").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "Good morning, Ada!"));
    let links = lattice.wicker(&["link", "ls"]).await;
    assert!(!links.to_string().contains("greeter"), "it needs no link for what is inside: {links}");
}

/// What `wac plug` makes of the two.
fn plugged(socket: &Path, plug: &Path) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut register = |name: &str, path: &Path| {
        let package = Package::from_file(name, None, path, graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    };
    let (socket, plugged) = (register("test:socket", socket), register("test:plug", plug));
    wac_graph::plug(&mut graph, vec![plugged], socket).unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}
