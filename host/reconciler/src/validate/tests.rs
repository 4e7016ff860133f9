//! Manifests against components, each other and the lattice.

use wicker_lattice::id::{Incarnation, ProcessId};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Host, Probe, ProviderSource, Sharing};
use wicker_lattice::types::{FunctionType, Functions, Type};

use super::*;
use crate::diagnostic::{Severity, Source};
use crate::inventory::{Builtin, Stored};

const STORE: &str = "wasi:keyvalue/store@0.2.0-draft";

/// A world of interfaces that each have one function `get: func(key: <ty>)`.
pub(crate) fn world(imports: &[&str], exports: &[&str], ty: Type) -> World {
    let functions = || {
        let params = vec![("key".to_owned(), ty.clone())];
        let function = FunctionType { params, result: None, is_async: false };
        Functions::from([("get".to_owned(), function)])
    };
    let named =
        |names: &[&str]| names.iter().map(|name| (name.parse().unwrap(), functions())).collect();
    World { imports: named(imports), exports: named(exports) }
}

pub(crate) fn builtins() -> Builtins {
    let builtin =
        |sharing, exports: &[&str]| Builtin { sharing, world: world(&[], exports, Type::String) };
    Builtins::from([
        ("keyvalue-redb".to_owned(), builtin(Sharing::Exclusive, &[STORE])),
        ("keyvalue-redis".to_owned(), builtin(Sharing::Replicable, &[STORE])),
        ("http-client".to_owned(), builtin(Sharing::Replicable, &["wicker:http/handler@0.1.0"])),
    ])
}

fn host(name: &str, labels: &[(&str, &str)]) -> Host {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Host {
        process: ProcessId::generate(),
        incarnation: Incarnation::generate(),
        name: name.to_owned(),
        labels: labels.chain([("host".to_owned(), name.to_owned())]).collect(),
        http: None,
        version: "0.1.0".to_owned(),
        beat: 1,
        is_draining: false,
        pid: None,
        degraded: None,
        lost_at: None,
        load: None,
        busy: Default::default(),
    }
}

/// Images by id, with the worlds given.
fn images(worlds: &[(&str, World)]) -> BTreeMap<ObjectId, Result<Image, String>> {
    let image = |world: &World| Image { digest: "sha256:00".to_owned(), world: world.clone() };
    worlds.iter().map(|(id, world)| (id.parse().unwrap(), Ok(image(world)))).collect()
}

pub(super) fn check(
    texts: &[&str],
    worlds: &[(&str, World)],
    inventory: &Inventory,
) -> Result<(Vec<Desired>, Problems), Problems> {
    let read = |(index, text): (usize, &&str)| {
        manifest::parse(&Source::new(format!("{index}.yaml"), *text))
            .unwrap_or_else(|e| panic!("{e}"))
    };
    let manifests: Vec<Manifest> = texts.iter().enumerate().map(read).collect();
    let (images, builtins) = (images(worlds), builtins());
    validate(&manifests, Facts { images: &images, builtins: &builtins, inventory })
}

pub(super) fn problems(
    texts: &[&str],
    worlds: &[(&str, World)],
    inventory: &Inventory,
) -> Vec<String> {
    let problems = check(texts, worlds, inventory).expect_err("there are problems");
    let print = |each: &crate::diagnostic::Diagnostic| {
        let help = each.help.as_deref().unwrap_or_default();
        format!("{}:{}:{} {} | {help}", each.file, each.line, each.column, each.message)
    };
    problems.iter().map(print).collect()
}

#[test]
fn import_without_a_link_gets_its_default_provider() {
    let world = world(
        &[STORE, "wasi:http/outgoing-handler@0.2.3", "wasi:cli/stdout@0.2.3"],
        &["wasi:http/incoming-handler@0.2.3"],
        Type::String,
    );
    let text = "application: a\ncomponents: {web: web.wasm}\nroutes: {/: web}\n";
    let (desired, warnings) =
        check(&[text], &[("default/a/web", world)], &Inventory::default()).unwrap();
    assert!(warnings.is_empty());
    let links: Vec<(&str, &str, bool)> = desired[0]
        .links
        .iter()
        .map(|DesiredLink { link, is_default }| {
            (link.scope.as_str(), link.target.name(), *is_default)
        })
        .collect();
    assert_eq!(
        links,
        [
            ("wasi:http@0.2", "http-client", true),
            ("wasi:keyvalue@0.2.0-draft", "keyvalue-redb", true)
        ]
    );
    let shared: Vec<&str> = desired[0].shared.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(shared, ["default/http-client/http-client", "default/keyvalue-redb/keyvalue-redb"]);
}

#[test]
fn link_without_a_version_covers_every_version_imported() {
    let world = world(&[STORE, "wasi:keyvalue/store@0.2.0-draft2"], &[], Type::String);
    let text = "application: a\ncomponents: {x: x.wasm}\nproviders: {any: {command: [x]}}\nlinks: {x: {wasi:keyvalue: any}}\n";
    let (desired, _) = check(&[text], &[("default/a/x", world)], &Inventory::default()).unwrap();
    let scopes: Vec<&str> = desired[0].links.iter().map(|each| each.link.scope.as_str()).collect();
    assert_eq!(scopes, ["wasi:keyvalue@0.2.0-draft", "wasi:keyvalue@0.2.0-draft2"]);
}

#[test]
fn what_does_not_fit_is_reported_together() {
    let web = world(&[STORE, "acme:greet/api@1.0.0"], &[], Type::String);
    let text = "application: a\n\
                components:\n  web: web.wasm\n\
                providers:\n  cache: keyvalue-rediss\n\
                links:\n  web:\n    wasi:keyvalue: keyvalue-redsi\n    wasi:sql: cache\n\
                routes:\n  /x: web\n";
    assert_eq!(
        problems(&[text], &[("default/a/web", web)], &Inventory::default()),
        [
            "0.yaml:3:3 `web` imports acme:greet@1 and no link serves it | add `links: {web: {acme:greet: TARGET}}`",
            "0.yaml:5:10 there is no builtin provider `keyvalue-rediss` | did you mean `keyvalue-redis`?",
            "0.yaml:8:20 nothing is called `keyvalue-redsi` | did you mean `keyvalue-redis`?",
            "0.yaml:9:5 `web` does not import wasi:sql | it imports acme:greet@1, wasi:keyvalue@0.2.0-draft",
            "0.yaml:11:7 `web` cannot answer /x: it does not export wasi:http | ",
        ]
    );
}

#[test]
fn types_of_import_and_export_are_compared() {
    let importer = world(&["acme:greet/api@1.0.0"], &[], Type::String);
    let exporter = world(&[], &["acme:greet/api@1.2.0"], Type::U32);
    let text =
        "application: a\ncomponents: {in: a.wasm, out: b.wasm}\nlinks: {in: {acme:greet: out}}\n";
    assert_eq!(
        problems(
            &[text],
            &[("default/a/in", importer), ("default/a/out", exporter)],
            &Inventory::default()
        ),
        [
            "0.yaml:3:26 `out` cannot serve `in`: it exports acme:greet/api@1.0.0 `get` as func(key: u32), imported as \
          func(key: string) | `out` exports acme:greet/api@1.2.0"
        ]
    );
}

#[test]
fn applications_given_together_may_link_to_each_other() {
    let gateway =
        world(&["acme:greet/api@1.0.0"], &["wasi:http/incoming-handler@0.2.0"], Type::String);
    let greeter = world(&[], &["acme:greet/api@1.0.0"], Type::String);
    let worlds = [("default/gateway/gateway", gateway), ("default/greeter/greeter", greeter)];
    let greeter = "application: greeter\ncomponents: {greeter: greeter.wasm}\n";
    let gateway = "application: gateway\ncomponents: {gateway: gateway.wasm}\nlinks: {gateway: {acme:greet: greeter}}\n";
    let (desired, _) = check(&[gateway, greeter], &worlds, &Inventory::default()).unwrap();
    assert_eq!(desired[0].links[0].link.target.as_str(), "default/greeter/greeter");
}

#[test]
fn target_may_be_deployed_later() {
    let world = world(&["acme:greet/api@1.0.0"], &[], Type::String);
    for (target, expected) in
        [("greeter", "shops/greeter/greeter"), ("greeters/french", "shops/greeters/french")]
    {
        let text = format!(
            "application: a\nteam: shops\ncomponents: {{x: x.wasm}}\nlinks: {{x: {{acme:greet: {target}}}}}\n"
        );
        let images = [("shops/a/x", world.clone())];
        let (desired, warnings) = check(&[&text], &images, &Inventory::default()).unwrap();
        assert_eq!(desired[0].links[0].link.target.as_str(), expected);
        let warning = warnings.iter().next().unwrap();
        assert_eq!(warning.severity, Severity::Warning);
        assert_eq!(warning.message, format!("{expected} is not in the lattice yet"));
    }
}

#[test]
fn route_of_another_application_is_refused() {
    let web = world(&[], &["wasi:http/handler@0.3.0"], Type::String);
    let taken = Route {
        host: None,
        path: "/".to_owned(),
        target: "default/shop/web".parse().unwrap(),
        claimed_by: "default/shop".to_owned(),
        only_on: None,
        split: Vec::new(),
    };
    let mut inventory = Inventory::default();
    inventory.routes.insert(taken.key(), Stored { record: taken, revision: 1 });
    let text = "application: a\ncomponents: {web: web.wasm}\nroutes:\n  /: web\n  /b: web\n";
    let other = "application: b\ncomponents: {web: web.wasm}\nroutes:\n  /b/: web\n";
    let worlds = [("default/a/web", web.clone()), ("default/b/web", web)];
    assert_eq!(
        problems(&[text, other], &worlds, &inventory),
        [
            "0.yaml:4:3 the route / is taken by default/shop | choose another host or path",
            "0.yaml:5:3 the route /b is taken by default/b in 1.yaml | choose another host or path",
            "1.yaml:4:3 the route /b is taken by default/a in 0.yaml | choose another host or path",
        ]
    );
}

#[test]
fn labels_that_no_host_carries_are_refused() {
    let inventory = Inventory {
        hosts: vec![host("alpha", &[("zone", "a")]), host("beta", &[])],
        ..Inventory::default()
    };
    let text = "application: a\ncomponents:\n  x:\n    image: x.wasm\n    replicas: 1\n    placement: {labels: {zone: b}}\n";
    assert_eq!(
        problems(&[text], &[("default/a/x", World::default())], &inventory),
        [
            "0.yaml:6:5 no host carries {zone: b} | hosts: alpha, beta; a host gets labels by `wicker up --label KEY=VALUE`"
        ]
    );
}

#[test]
fn a_secret_that_nobody_has_set_is_named_where_the_manifest_names_it() {
    let known = ["default/db-url", "other/api-key"].map(|id| id.parse().unwrap());
    let inventory = Inventory { secrets: known.into(), ..Inventory::default() };
    let text = "application: a\ncomponents:\n  x:\n    image: x.wasm\n    secrets: [api-key, db-url]\n\
                providers:\n  store:\n    builtin: keyvalue-redis\n    config: {url: {secret: db-ulr}}\n";
    assert_eq!(
        problems(&[text], &[("default/a/x", World::default())], &inventory),
        [
            "0.yaml:5:15 there is no secret `api-key` of team default | set it: wicker secret set api-key",
            "0.yaml:9:28 there is no secret `db-ulr` of team default | did you mean `db-url`?",
        ]
    );
}

#[test]
fn exclusive_provider_has_one_replica() {
    let text =
        "application: a\nproviders:\n  store:\n    builtin: keyvalue-redb\n    replicas: 2\n";
    assert_eq!(
        problems(&[text], &[], &Inventory::default()),
        ["0.yaml:5:5 `store` is exclusive: its state is in one process | leave `replicas` out"]
    );
}

#[test]
fn file_that_cannot_be_used_is_reported_at_its_line() {
    let manifest =
        manifest::parse(&Source::new("0.yaml", "application: a\ncomponents:\n  x: x.wasm\n"))
            .unwrap();
    let images = BTreeMap::from([("default/a/x".parse().unwrap(), Err("no such file".to_owned()))]);
    let (builtins, inventory) = (builtins(), Inventory::default());
    let facts = Facts { images: &images, builtins: &builtins, inventory: &inventory };
    let problems = validate(&[manifest], facts).unwrap_err();
    assert!(
        problems.to_string().starts_with("0.yaml:3:6: cannot use x.wasm: no such file"),
        "{problems}"
    );
}

#[test]
fn link_set_by_hand_satisfies_an_import() {
    let world = world(&["acme:greet/api@1.0.0"], &[], Type::String);
    let link = Link {
        source: "default/a/x".parse().unwrap(),
        scope: links::package_scope(&"acme:greet/api@1.0.0".parse().unwrap()),
        name: "default".to_owned(),
        target: "default/g/g".parse().unwrap(),
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    };
    let mut inventory = Inventory::default();
    inventory.links.insert(link.key(), Stored { record: link, revision: 3 });
    let text = "application: a\ncomponents: {x: x.wasm}\n";
    let (desired, _) = check(&[text], &[("default/a/x", world)], &inventory).unwrap();
    assert!(desired[0].links.is_empty());
}

#[test]
fn interfaces_that_share_a_resource_lead_to_one_target() {
    let mut world = world(&[STORE, "wasi:keyvalue/atomics@0.2.0-draft"], &[], Type::String);
    let bucket = Type::Borrow(STORE.parse().unwrap(), "bucket".to_owned());
    let function =
        FunctionType { params: vec![("bucket".to_owned(), bucket)], result: None, is_async: false };
    let atomics = "wasi:keyvalue/atomics@0.2.0-draft".parse().unwrap();
    world.imports.insert(atomics, Functions::from([("increment".to_owned(), function)]));
    let text = "application: a\ncomponents: {x: x.wasm}\nproviders: {p: {command: [p]}, q: {command: [q]}}\n\
                links:\n  x:\n    wasi:keyvalue: p\n    wasi:keyvalue/atomics: q\n";
    let found = problems(&[text], &[("default/a/x", world)], &Inventory::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(
            "uses resources of wasi:keyvalue/store@0.2.0-draft, but leads to default/a/q"
        ),
        "{found:?}"
    );
}

#[test]
fn builtin_name_as_target_means_the_shared_provider() {
    let text =
        "application: a\ncomponents: {x: x.wasm}\nlinks: {x: {wasi:keyvalue: keyvalue-redis}}\n";
    let world = world(&[STORE], &[], Type::String);
    let (desired, _) = check(&[text], &[("default/a/x", world)], &Inventory::default()).unwrap();
    let shared = &desired[0].shared[0];
    assert_eq!(shared.id.as_str(), "default/keyvalue-redis/keyvalue-redis");
    assert_eq!(shared.source, ProviderSource::Builtin("keyvalue-redis".to_owned()));
    assert_eq!(shared.spread.replicas, None, "a replicable one runs on every host");
}

#[test]
fn neighbours_are_found_by_name() {
    let inventory =
        Inventory { hosts: vec![host("alpha", &[("zone", "a")])], ..Inventory::default() };
    let placed = |placement: &str| {
        format!(
            "application: shop\ncomponents:\n  api:\n    image: api.wasm\n    placement:\n{placement}\n  web: web.wasm\n"
        )
    };
    let empty = || world(&[], &[], Type::U8);
    let worlds = [("default/shop/api", empty()), ("default/shop/web", empty())];
    let text =
        placed("      near: [web, {to: keyvalue-redb, required: false}]\n      spread: zone");
    let (desired, warnings) = check(&[&text], &worlds, &inventory).unwrap();
    let near = &desired[0].components[0].spread.near;
    let near: Vec<_> = near.iter().map(|each| (each.to.as_str(), each.is_required)).collect();
    assert_eq!(near, [("default/shop/web", true), ("default/keyvalue-redb/keyvalue-redb", false)]);
    assert_eq!(warnings.len(), 0);
    let text = placed("      near: [web, api]\n      apart: [web, wen]\n      spread: rack");
    assert_eq!(
        problems(&[&text], &worlds, &inventory),
        [
            "0.yaml:5:5 no host carries a label `rack` to spread over | a host gets one by `wicker up --label rack=VALUE`",
            "0.yaml:6:19 `api` is its own neighbour | name another; replicas of one object never share a host",
            "0.yaml:7:15 `web` is required to be near and apart | see line 6; remove one",
            "0.yaml:7:20 nothing is called `wen` | did you mean `web`?",
        ]
    );
}

#[test]
fn every_target_that_shares_a_link_must_offer_what_is_imported() {
    let worlds = [
        ("default/a/web", world(&["shop:cart/api@1.0.0"], &[], Type::String)),
        ("default/a/old", world(&[], &["shop:cart/api@1.0.0"], Type::String)),
        ("default/a/new", world(&[], &["shop:cart/api@1.0.0"], Type::U32)),
    ];
    let text = "application: a\ncomponents: {web: w.wasm, old: o.wasm, new: n.wasm}\n\
                links:\n  web:\n    shop:cart:\n      target:\n        - {target: old, weight: 90}\n        - {target: new, weight: 10}\n";
    let found = problems(&[text], &worlds, &Inventory::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("0.yaml:8:20 `new` cannot serve `web`"), "{found:?}");
    let good = [worlds[0].clone(), worlds[1].clone(), ("default/a/new", worlds[1].1.clone())];
    let (desired, _) = check(&[text], &good, &Inventory::default()).unwrap();
    let link = &desired[0].links[0].link;
    assert_eq!(link.target.name(), "old", "the greatest share stands for all");
    let shares: Vec<_> = link.split.iter().map(|each| (each.target.name(), each.weight)).collect();
    assert_eq!(shares, [("old", 90), ("new", 10)]);
}

#[test]
fn component_is_asked_only_what_it_exports() {
    let mut asked = world(&[], &["shop:cart/health@1.0.0"], Type::String);
    let functions = asked.exports.values_mut().next().unwrap();
    let verdict = |result| FunctionType { params: Vec::new(), result, is_async: false };
    functions.insert("check".to_owned(), verdict(Some(Type::Bool)));
    functions.insert("count".to_owned(), verdict(Some(Type::U32)));
    let text = |ready: &str| {
        format!("application: a\ncomponents: {{x: {{image: x.wasm, ready: {ready}}}}}\n")
    };
    let worlds = [("default/a/x", asked)];
    let good = text("{function: shop:cart/health.check}");
    let (desired, _) = check(&[&good], &worlds, &Inventory::default()).unwrap();
    let ready = desired[0].components[0].ready.clone().unwrap();
    let interface = "shop:cart/health@1".parse().unwrap();
    assert_eq!(ready.probe, Probe::Function { interface, name: "check".to_owned() });
    for (ready, expected) in [
        ("/healthz", "it does not export wasi:http"),
        ("{function: shop:cart/health.get}", "it exports get: func(key: string)"),
        ("{function: shop:cart/health.count}", "it exports count: func() -> u32"),
        (
            "{function: shop:cart/health.none}",
            "it exports no shop:cart/health.none | it exports shop:cart/health@1.0.0.check",
        ),
    ] {
        let found = problems(&[&text(ready)], &worlds, &Inventory::default());
        assert!(found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn singleton_runs_on_one_host_and_by_its_word() {
    let text = |rest: &str| format!("application: a\n{rest}\n");
    for (rest, expected) in [
        (
            "components: {x: {image: x.wasm, singleton: true, replicas: 2}}",
            "`x` is a singleton: it runs on one host at most",
        ),
        (
            "providers: {p: {external: true, singleton: true}}",
            "`p` is started by somebody else: no host can fence it",
        ),
        (
            "providers: {p: {builtin: keyvalue-redb, singleton: true}}",
            "`p` is exclusive: it never moves",
        ),
    ] {
        let worlds = [("default/a/x", world(&[], &[], Type::String))];
        let found = problems(&[&text(rest)], &worlds, &Inventory::default());
        assert!(found[0].contains(expected), "{found:?}");
    }
    for source in ["builtin: keyvalue-redis", "process: keyvalue-redis", "command: [./p]"] {
        let good = text(&format!("providers: {{p: {{{source}, singleton: true}}}}"));
        let (desired, _) = check(&[&good], &[], &Inventory::default()).unwrap();
        assert!(desired[0].providers[0].is_singleton);
    }
}
