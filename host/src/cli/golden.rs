//! What the verbs print, word for word. `UPDATE_GOLDEN=1 cargo test -p wicker golden` writes the files anew.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::store::Record;
use wicker_lattice::store::record::{
    Component, Grants, Host, Limits, Link, ObjectKind, Placement, Provider, ProviderSource, Route,
    RunState, Running, Scope, Sharing, Spread,
};
use wicker_lattice::types::{FunctionType, Functions, Type, World};
use wicker_reconciler::diagnostic::Source;
use wicker_reconciler::inventory::{Inventory, Records, Stored};
use wicker_reconciler::manifest;

use super::deploy::{ApplicationReport, Change, ObjectReport, Report};
use super::ps::Ps;

mod applications;

const STORE: &str = "wasi:keyvalue/store@0.2.0-draft";

/// Compares `text` with the file, or writes the file.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
}

fn check_json(name: &str, value: &impl Serialize) {
    check(name, &format!("{}\n", serde_json::to_string_pretty(value).unwrap()));
}

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

fn process(number: u8) -> ProcessId {
    ProcessId::from_bytes([number; 16])
}

fn host(number: u8, name: &str, label: Option<(&str, &str)>) -> Host {
    let labels = label.into_iter().chain([("host", name)]);
    Host {
        process: process(number),
        incarnation: Incarnation::from_bytes([number; 16]),
        name: name.to_owned(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        http: Some(format!("127.0.0.1:{}", 7999 + u32::from(number))),
        pid: None,
        version: "0.1.0".to_owned(),
        beat: 7,
        is_draining: false,
        degraded: (number == 2).then(|| "no connection to NATS".to_owned()),
        lost_at: None,
        load: None,
        busy: Default::default(),
    }
}

fn component(name: &str) -> Component {
    Component {
        id: id(name),
        digest: format!("sha256:{}", "ab".repeat(32)),
        generation: 3,
        is_bare: false,
        limits: Limits::default(),
        grants: Grants::default(),
        warm: 0,
        idle_ms: None,
        secrets: Default::default(),
        config: BTreeMap::new(),
        spread: Spread::default(),
        rollout: Default::default(),
        ready: None,
        is_singleton: false,
    }
}

fn provider(name: &str, source: ProviderSource, sharing: Sharing) -> Provider {
    Provider {
        id: id(name),
        source,
        generation: 0,
        config: serde_json::Value::Null,
        sharing,
        owner: None,
        is_singleton: false,
        spread: Spread::default(),
        rollout: Default::default(),
    }
}

fn running(object: &str, kind: ObjectKind, host: u8, state: RunState) -> Running {
    Running {
        object: id(object),
        kind,
        process: process(host),
        incarnation: Incarnation::from_bytes([host; 16]),
        host: Some(process(host)),
        generation: 3,
        digest: None,
        serves: Vec::new(),
        types: None,
        state,
        reason: (state == RunState::Pending).then(|| "acme:greet@1 waits for its link".to_owned()),
        failing_links: Default::default(),
        failed_generation: None,
        since: "2026-11-20T17:00:00.000Z".to_owned(),
    }
}

fn link(source: &str, target: &str) -> Link {
    Link {
        source: id(source),
        scope: Scope::Package("wasi:keyvalue@0.2.0-draft".parse().unwrap()),
        name: "default".to_owned(),
        target: id(target),
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

fn route(host: Option<&str>, path: &str, target: &str) -> Route {
    Route {
        host: host.map(str::to_owned),
        path: path.to_owned(),
        target: id(target),
        split: Vec::new(),
        claimed_by: target.rsplit_once('/').unwrap().0.to_owned(),
        only_on: None,
    }
}

fn put<R: Record>(records: &mut Records<R>, record: R) {
    records.insert(record.key(), Stored { record, revision: 1 });
}

/// Two hosts; a counter on the first, with its store; a gateway that waits; a provider whose host is away.
fn lattice() -> Inventory {
    let mut inventory = Inventory {
        hosts: vec![host(1, "alpha", Some(("zone", "a"))), host(2, "beta", None)],
        running: vec![
            running("default/counter/counter", ObjectKind::Component, 1, RunState::Ready),
            running("acme/shop/gateway", ObjectKind::Component, 2, RunState::Pending),
            running(
                "default/keyvalue-redb/keyvalue-redb",
                ObjectKind::Provider,
                1,
                RunState::Ready,
            ),
        ],
        ..Inventory::default()
    };
    put(&mut inventory.components, component("default/counter/counter"));
    put(&mut inventory.components, component("acme/shop/gateway"));
    put(&mut inventory.components, component("acme/shop/later"));
    let redb = ProviderSource::Builtin("keyvalue-redb".to_owned());
    put(
        &mut inventory.providers,
        provider("default/keyvalue-redb/keyvalue-redb", redb, Sharing::Exclusive),
    );
    let command = ProviderSource::Command(vec!["./mail".to_owned(), "--quiet".to_owned()]);
    put(&mut inventory.providers, provider("acme/shop/mail", command, Sharing::Replicable));
    let (host, object) = (process(9), id("acme/shop/mail"));
    put(
        &mut inventory.placements,
        Placement { host, object, kind: ObjectKind::Provider, generation: 0 },
    );
    put(
        &mut inventory.links,
        link("default/counter/counter", "default/keyvalue-redb/keyvalue-redb"),
    );
    put(&mut inventory.links, link("acme/shop/gateway", "acme/shop/mail"));
    for (host, path, target) in [
        (None, "/", "default/counter/counter"),
        (Some("shop.example.com"), "/api", "acme/shop/gateway"),
    ] {
        put(&mut inventory.routes, route(host, path, target));
    }
    let bytes = Type::Option(Box::new(Type::List(Box::new(Type::U8))));
    let get = FunctionType {
        params: vec![("key".to_owned(), Type::String)],
        result: Some(bytes),
        is_async: false,
    };
    // As its target really exports it.
    let store =
        &crate::provider::registry::facts()["keyvalue-redb"].world.exports[&STORE.parse().unwrap()];
    let open = Functions::from([("open".to_owned(), store["open"].clone())]);
    let world = World {
        imports: [(STORE.parse().unwrap(), open)].into(),
        exports: [(
            "acme:count/api@1.0.0".parse().unwrap(),
            Functions::from([("read".to_owned(), get)]),
        )]
        .into(),
    };
    inventory.worlds.insert(format!("sha256:{}", "ab".repeat(32)), world);
    inventory
}

#[test]
fn golden_ps() {
    let ps = Ps::new(&lattice());
    check("ps.txt", &ps.to_string());
    check_json("ps.json", &ps);
}

#[test]
fn golden_ps_of_an_empty_lattice() {
    check("ps-empty.txt", &Ps::new(&Inventory::default()).to_string());
}

#[test]
fn golden_inspect_of_an_object() {
    let report = super::inspect::object(
        &lattice(),
        &id("default/counter/counter"),
        super::inspect::Shown::Linkable,
    );
    check("inspect.txt", &report.to_string());
    check_json("inspect.json", &report);
}

#[test]
fn golden_inspect_of_a_host() {
    let report = super::inspect::host(&lattice(), process(1)).unwrap();
    check("inspect-host.txt", &report.to_string());
    check_json("inspect-host.json", &report);
}

#[test]
fn golden_deploy() {
    let object = |name: &str, state, reason: Option<&str>| ObjectReport {
        object: id(name),
        kind: ObjectKind::Component,
        host: "alpha".to_owned(),
        shown_host: "alpha".to_owned(),
        process: process(1),
        state,
        reason: reason.map(str::to_owned),
    };
    let report = Report {
        applications: vec![ApplicationReport {
            application: "default/counter".to_owned(),
            generation: 2,
            changes: vec![Change {
                action: "create",
                key: "component.default_counter_counter".to_owned(),
            }],
            is_ready: true,
            objects: vec![
                object("default/counter/counter", Some(RunState::Ready), None),
                object(
                    "default/counter/web",
                    Some(RunState::Pending),
                    Some("acme:greet@1 waits for its link"),
                ),
            ],
            urls: vec!["http://127.0.0.1:8000/".to_owned()],
            notes: vec!["default/counter/web wants 2 hosts, 1 match".to_owned()],
        }],
        warnings: Vec::new(),
    };
    check("deploy.txt", &format!("{}\n", super::deploy::report::text(&report.applications[0])));
    check_json("deploy.json", &report);
}

#[test]
fn golden_problems_of_a_manifest() {
    let text = "application: shop\ncomponets:\n  api: api.wasm\ncomponents:\n  web:\n    image: web.wasm\n    \
                limits:\n      memory: 64\n      deadlin: 5s\n  Web: other.wasm\nlinks:\n  web:\n    wasi-keyvalue: store\n\
                routes:\n  http://shop.example.com: web\n  \"/ü/*\": web\n";
    let problems = manifest::parse(&Source::new("shop.yaml", text)).unwrap_err();
    check("problems.txt", &format!("{problems}\n"));
    check_json("problems.json", &problems);
}
