//! Exports and links across teams.

use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Export, Quota, Scope, Terms};
use wicker_lattice::types::{Type, World};

use super::tests::{check, problems, world};
use super::*;
use crate::inventory::Stored;

const API: &str = "acme:stock/api@1.0.0";
const ADMIN: &str = "acme:stock/admin@1.0.0";

const STOCK: &str = "application: stock\nteam: inventory\ncomponents: {keeper: keeper.wasm}\n";
const WEB: &str = "application: web\nteam: shop\ncomponents: {web: web.wasm}\n";

fn keeper() -> (&'static str, World) {
    ("inventory/stock/keeper", world(&[], &[API, ADMIN], Type::String))
}

fn web() -> (&'static str, World) {
    ("shop/web/web", world(&[API], &[], Type::String))
}

fn stock(exports: &str) -> String {
    format!("{STOCK}exports: {exports}\n")
}

/// What the lattice holds once both are deployed.
fn deployed() -> Inventory {
    let exported = stock("{api: {target: keeper, interfaces: acme:stock/api, to: [shop]}}");
    let linked = format!("{WEB}links: {{web: {{acme:stock: inventory/stock/api}}}}\n");
    let worlds = [keeper(), web()];
    let (desired, _) = check(&[&exported, &linked], &worlds, &Inventory::default()).unwrap();
    let mut inventory = Inventory::default();
    for (each, (id, world)) in desired.into_iter().zip(worlds) {
        let digest = format!("sha256:{id}");
        inventory.worlds.insert(digest.clone(), world);
        for component in each.components {
            let record = Component { digest: digest.clone(), ..component };
            inventory.components.insert(record.key(), Stored { record, revision: 1 });
        }
        for DesiredLink { link: record, .. } in each.links {
            inventory.links.insert(record.key(), Stored { record, revision: 1 });
        }
        for record in each.exports {
            inventory.exports.insert(record.key(), Stored { record, revision: 1 });
        }
    }
    inventory
}

#[test]
fn export_says_what_is_offered_to_whom_and_on_which_terms() {
    let text = stock(
        "{api: {target: keeper, interfaces: [acme:stock/api], to: {shop: {calls-per-second: 5, concurrency: 2, bytes-per-second: 1KiB, config: {table: shop}}, pay: {}}}}",
    );
    let (desired, warnings) = check(&[&text], &[keeper()], &Inventory::default()).unwrap();
    assert!(warnings.is_empty());
    let quota =
        Quota { calls_per_second: Some(5), concurrency: Some(2), bytes_per_second: Some(1024) };
    let config = BTreeMap::from([("table".to_owned(), "shop".to_owned())]);
    let to = [("shop".to_owned(), Terms { quota, config }), ("pay".to_owned(), Terms::default())];
    let expected = Export {
        id: "inventory/stock/api".parse().unwrap(),
        target: "inventory/stock/keeper".parse().unwrap(),
        interfaces: vec![Scope::Interface("acme:stock/api@1".parse().unwrap())],
        to: to.into(),
    };
    assert_eq!(desired[0].exports, [expected]);
}

#[test]
fn export_of_what_is_not_there_is_a_problem() {
    let text = stock("{api: {target: keeper, interfaces: [acme:other], to: [shop]}}");
    assert_eq!(
        problems(&[&text], &[keeper()], &Inventory::default()),
        [
            "0.yaml:4:46 `keeper` does not export acme:other | it exports acme:stock/admin@1.0.0, acme:stock/api@1.0.0"
        ]
    );
}

#[test]
fn link_to_another_team_needs_its_grant() {
    let linked =
        |target: &str| format!("{WEB}links: {{web: {{acme:stock: inventory/stock/{target}}}}}\n");
    let worlds = [keeper(), web()];
    let granted = stock("{api: {target: keeper, interfaces: acme:stock, to: [shop]}}");
    let one = |exports: &str, target: &str| {
        let found = problems(&[exports, &linked(target)], &worlds, &Inventory::default());
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    assert_eq!(
        one(STOCK, "keeper"),
        "1.yaml:4:27 team `inventory` offers no inventory/stock/keeper | team `inventory` grants it: `exports: {keeper: {interfaces: [...], to: [shop]}}` in its manifest of `stock`"
    );
    assert_eq!(
        one(&granted, "apo"),
        "1.yaml:4:27 team `inventory` offers no inventory/stock/apo | did you mean `inventory/stock/api`?"
    );
    assert_eq!(
        one(&granted.replace("[shop]", "[pay]"), "api"),
        "1.yaml:4:27 inventory/stock/api is not offered to team `shop` | team `inventory` grants it: add `shop` to `to` of `api` in its manifest of `stock`"
    );
    assert_eq!(
        one(&granted.replace("acme:stock,", "acme:stock/admin,"), "api"),
        "1.yaml:4:27 inventory/stock/api does not offer acme:stock/api@1 | it offers acme:stock/admin@1"
    );
    let (desired, _) = check(&[&granted, &linked("api")], &worlds, &Inventory::default()).unwrap();
    assert_eq!(desired[1].links[0].link.target.as_str(), "inventory/stock/api");
}

#[test]
fn import_that_another_team_grants_is_named() {
    let granted = stock("{api: {target: keeper, interfaces: acme:stock, to: [shop]}}");
    assert_eq!(
        problems(&[&granted, WEB], &[keeper(), web()], &Inventory::default()),
        [
            "1.yaml:3:14 `web` imports acme:stock@1 and no link serves it | inventory/stock/api exports it: add `links: {web: {acme:stock: inventory/stock/api}}`"
        ]
    );
}

#[test]
fn upgrade_that_breaks_an_importer_names_it_with_interface_and_function() {
    let exported = stock("{api: {target: keeper, interfaces: acme:stock/api, to: [shop]}}");
    let changed = ("inventory/stock/keeper", world(&[], &[API], Type::U32));
    let refused = |keeper: (&str, World), text: &str| problems(&[text], &[keeper], &deployed());
    assert_eq!(
        refused(changed, &exported),
        [
            "0.yaml:4:11 a new `api` would break shop/web/web: it exports acme:stock/api@1.0.0 `get` as func(key: u32), imported as func(key: string) | keep what is imported beside the new one: under another version, or another export"
        ]
    );
    let next = ("inventory/stock/keeper", world(&[], &["acme:stock/api@2.0.0"], Type::String));
    let found = refused(next, &exported);
    assert!(
        found[0].contains("would break shop/web/web: it does not export acme:stock/api@1.0.0"),
        "{found:?}"
    );
    let narrowed = stock("{api: {target: keeper, interfaces: acme:stock/admin, to: [shop]}}");
    let found = refused(keeper(), &narrowed);
    assert!(
        found[0].contains("would break shop/web/web: it does not export acme:stock/api@1.0.0"),
        "{found:?}"
    );
}

#[test]
fn grant_that_is_taken_back_is_told_and_no_error() {
    for exports in
        [STOCK.to_owned(), stock("{api: {target: keeper, interfaces: acme:stock/api, to: [pay]}}")]
    {
        let (_, warnings) = check(&[&exports], &[keeper()], &deployed()).unwrap();
        let warnings: Vec<&str> = warnings.iter().map(|each| each.message.as_str()).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("shop/web/web can call it no more: "), "{warnings:?}");
    }
}

#[test]
fn new_target_may_serve_an_export_and_both_sides_may_change_at_once() {
    let exported = stock("{api: {target: keeper, interfaces: acme:stock/api, to: [shop]}}");
    let linked = format!("{WEB}links: {{web: {{acme:stock: inventory/stock/api}}}}\n");
    let changed = [
        ("inventory/stock/keeper", world(&[], &[API], Type::U32)),
        ("shop/web/web", world(&[API], &[], Type::U32)),
    ];
    assert!(check(&[&exported, &linked], &changed, &deployed()).is_ok());
}

#[test]
fn earlier_deployment_that_would_break_an_importer_is_found() {
    let mut inventory = deployed();
    let exported = stock("{api: {target: keeper, interfaces: acme:stock/api, to: [shop]}}");
    let (desired, _) = check(&[&exported], &[keeper()], &Inventory::default()).unwrap();
    let mut earlier = desired[0].clone();
    let digest = "sha256:earlier".to_owned();
    earlier.components[0].digest.clone_from(&digest);
    inventory.worlds.insert(digest, world(&[], &[API], Type::U8));
    let broken = broken_importers(&earlier, &inventory, &Builtins::new());
    assert_eq!(broken.len(), 1, "{broken:?}");
    let expected = "inventory/stock/api would break shop/web/web: it ";
    assert!(broken[0].starts_with(expected) && broken[0].contains(API), "{broken:?}");
    earlier.exports[0].to.clear();
    assert!(
        broken_importers(&earlier, &inventory, &Builtins::new()).is_empty(),
        "cut off, not broken"
    );
}
