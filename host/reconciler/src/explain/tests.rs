//! Reasons, as people read them; and that they are those of the decision.

use std::collections::BTreeMap;

use wicker_lattice::id::{Incarnation, ProcessId};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{
    Affinity, Component, Grants, Host, Limits, ObjectKind, Placement, Rollout, Spread,
};

use super::*;
use crate::inventory::Stored;

fn host(number: u8, zone: &str) -> Host {
    Host {
        process: ProcessId::from_bytes([number; 16]),
        incarnation: Incarnation::from_bytes([1; 16]),
        name: format!("host-{number}"),
        labels: BTreeMap::from([("zone".to_owned(), zone.to_owned())]),
        http: None,
        pid: None,
        version: String::new(),
        beat: 1,
        is_draining: false,
        degraded: None,
        lost_at: None,
        load: None,
        busy: Default::default(),
    }
}

fn id(name: &str) -> ObjectId {
    ObjectId::new("default", "shop", name).unwrap()
}

fn put(inventory: &mut Inventory, name: &str, spread: Spread, on: &[u8]) {
    let component = Component {
        id: id(name),
        digest: String::new(),
        generation: 1,
        is_bare: false,
        limits: Limits::default(),
        grants: Grants::default(),
        warm: 0,
        idle_ms: None,
        secrets: Default::default(),
        config: BTreeMap::new(),
        spread,
        rollout: Rollout::default(),
        ready: None,
        is_singleton: false,
    };
    inventory.components.insert(component.key(), Stored { record: component, revision: 1 });
    for host in on {
        let placement = Placement {
            host: ProcessId::from_bytes([*host; 16]),
            object: id(name),
            kind: ObjectKind::Component,
            generation: 1,
        };
        inventory.placements.insert(placement.key(), Stored { record: placement, revision: 1 });
    }
}

fn reasons(inventory: &Inventory, name: &str) -> Vec<String> {
    let explanation = explain(inventory, &id(name)).unwrap();
    let print = |each: &crate::placement::HostReason| {
        assert_eq!(each.is_chosen, explanation.choice.hosts.contains(&each.host));
        format!("{} {}: {}", each.name, if each.is_chosen { "yes" } else { "no" }, each.reason)
    };
    let reasons = explanation.hosts.iter().map(print);
    reasons.chain(explanation.choice.shortage.clone()).collect()
}

fn lattice() -> Inventory {
    Inventory {
        hosts: vec![
            host(1, "a"),
            host(2, "a"),
            host(3, "b"),
            Host { is_draining: true, ..host(4, "b") },
        ],
        ..Inventory::default()
    }
}

#[test]
fn each_host_has_its_reason() {
    let mut inventory = lattice();
    let spread = Spread { replicas: Some(2), over: Some("zone".to_owned()), ..Spread::default() };
    put(&mut inventory, "api", spread, &[1]);
    assert_eq!(
        reasons(&inventory, "api"),
        [
            "host-1 yes: it runs there already",
            "host-2 no: not needed; of host-3: fewer replicas are in its part of the spread",
            "host-3 yes: fewer replicas are in its part of the spread",
            "host-4 no: it is draining",
        ]
    );
}

#[test]
fn what_must_not_be_is_named() {
    let mut inventory = lattice();
    put(&mut inventory, "store", Spread::default(), &[1]);
    let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    let apart = vec![Affinity { to: id("store"), is_required: true }];
    let spread = Spread { replicas: Some(3), labels, apart, ..Spread::default() };
    put(&mut inventory, "api", spread, &[]);
    assert_eq!(
        reasons(&inventory, "api"),
        [
            "host-1 no: default/shop/store runs there",
            "host-2 yes: it is one of the hosts that match",
            "host-3 no: it does not carry {zone: a}",
            "host-4 no: it is draining",
            "default/shop/api wants 3 hosts, 1 match {zone: a}, apart from default/shop/store",
        ]
    );
}

#[test]
fn the_less_busy_host_is_taken() {
    let mut inventory = lattice();
    put(&mut inventory, "store", Spread::default(), &[1]);
    let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    put(&mut inventory, "api", Spread { labels, ..Spread::default() }, &[]);
    assert_eq!(
        reasons(&inventory, "api")[..2],
        [
            "host-1 no: not needed; of host-2: fewer objects are placed there: 0, not 1",
            "host-2 yes: fewer objects are placed there: 0, not 1",
        ]
    );
}
