//! Plans: the fewest writes, and where things are placed.

use proptest::prelude::*;
use wicker_lattice::id::Incarnation;
use wicker_lattice::store::record::{Grants, Host, Limits, Link, Placement, Route, Scope};

use super::*;
use crate::reconcile::{Action, Reconciler};
use crate::validate::shared_provider;
use crate::validate::tests::builtins;

fn host(number: u8, labels: &[(&str, &str)]) -> Host {
    Host {
        process: ProcessId::from_bytes([number; 16]),
        incarnation: Incarnation::from_bytes([number; 16]),
        name: format!("host-{number}"),
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
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

fn hosts(count: u8) -> Inventory {
    Inventory {
        hosts: (1..=count).map(|number| host(number, &[])).collect(),
        ..Inventory::default()
    }
}

fn component(name: &str, replicas: Option<u32>) -> Component {
    Component {
        id: ObjectId::new("default", "shop", name).unwrap(),
        digest: "sha256:00".to_owned(),
        generation: 0,
        is_bare: false,
        limits: Limits::default(),
        grants: Grants::default(),
        warm: 0,
        idle_ms: None,
        secrets: Default::default(),
        config: BTreeMap::new(),
        spread: Spread { replicas, ..Spread::default() },
        rollout: Rollout::default(),
        ready: None,
        is_singleton: false,
    }
}

fn provider(name: &str, sharing: Sharing) -> Provider {
    Provider {
        id: ObjectId::new("default", "shop", name).unwrap(),
        source: ProviderSource::Builtin("x".to_owned()),
        generation: 0,
        config: serde_json::Value::Null,
        sharing,
        owner: None,
        is_singleton: false,
        spread: Spread::default(),
        rollout: Default::default(),
    }
}

fn shop(components: Vec<Component>) -> Desired {
    Desired {
        team: "default".to_owned(),
        application: "shop".to_owned(),
        version: None,
        manifest: String::new(),
        components,
        providers: Vec::new(),
        links: Vec::new(),
        routes: Vec::new(),
        schedules: Vec::new(),
        exports: Vec::new(),
        shared: Vec::new(),
        at: None,
        restores: None,
    }
}

fn link(source: &str, target: &str) -> Link {
    Link {
        source: ObjectId::new("default", "shop", source).unwrap(),
        scope: Scope::Package("wasi:keyvalue@0.2.0-draft".parse().unwrap()),
        name: "default".to_owned(),
        target: target.parse().unwrap(),
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

fn route(path: &str, target: &str) -> Route {
    Route {
        host: None,
        path: path.to_owned(),
        target: ObjectId::new("default", "shop", target).unwrap(),
        claimed_by: "default/shop".to_owned(),
        only_on: None,
        split: Vec::new(),
    }
}

/// Writes a plan the way the store would, refusing what the store would refuse.
fn apply(inventory: &mut Inventory, plan: &Plan) {
    for step in &plan.steps {
        match step {
            Step::Create(record) => {
                assert!(put(inventory, record, None), "{record:?} is there already")
            }
            Step::Ensure(record) => _ = put(inventory, record, None),
            Step::Update { record, revision, .. } => {
                assert!(
                    put(inventory, record, Some(*revision)),
                    "{record:?} was changed meanwhile"
                );
            }
            Step::Delete { key, .. } => remove(inventory, key),
        }
    }
}

fn put(inventory: &mut Inventory, record: &AnyRecord, expected: Option<u64>) -> bool {
    fn into<R: Clone>(
        records: &mut Records<R>,
        key: String,
        record: &R,
        expected: Option<u64>,
    ) -> bool {
        let found = records.get(&key).map(|stored| stored.revision);
        if found != expected {
            return false;
        }
        let revision = found.unwrap_or_default() + 1;
        records.insert(key, Stored { record: record.clone(), revision });
        true
    }
    let key = record.key();
    match record {
        AnyRecord::Application(each) => into(&mut inventory.applications, key, each, expected),
        AnyRecord::Component(each) => into(&mut inventory.components, key, each, expected),
        AnyRecord::Provider(each) => into(&mut inventory.providers, key, each, expected),
        AnyRecord::Export(each) => into(&mut inventory.exports, key, each, expected),
        AnyRecord::Link(each) => into(&mut inventory.links, key, each, expected),
        AnyRecord::Route(each) => into(&mut inventory.routes, key, each, expected),
        AnyRecord::Schedule(each) => into(&mut inventory.schedules, key, each, expected),
        AnyRecord::Placement(each) => into(&mut inventory.placements, key, each, expected),
    }
}

fn remove(inventory: &mut Inventory, key: &str) {
    inventory.applications.remove(key);
    inventory.components.remove(key);
    inventory.providers.remove(key);
    inventory.exports.remove(key);
    inventory.links.remove(key);
    inventory.routes.remove(key);
    inventory.schedules.remove(key);
    inventory.placements.remove(key);
}

fn deploy(inventory: &mut Inventory, desired: &Desired) -> Plan {
    let plan = plan(desired, inventory);
    apply(inventory, &plan);
    place(inventory);
    plan
}

/// Lets the reconciler place everything.
fn place(inventory: &mut Inventory) {
    let mut reconciler = Reconciler::default();
    inventory.hosts.iter().for_each(|host| reconciler.host(host.clone()));
    for stored in inventory.components.values() {
        reconciler.component(&stored.record.id, Some(stored.clone()));
    }
    for stored in inventory.providers.values() {
        reconciler.provider(&stored.record.id, Some(stored.clone()));
    }
    for stored in inventory.placements.values() {
        let Placement { object, host, .. } = &stored.record;
        reconciler.placement(object, *host, Some(stored.clone()));
    }
    let steps = reconciler.act().into_iter().filter_map(|action| match action {
        Action::Write(step) => Some(step),
        Action::Tell(_) | Action::GoBack { .. } => None,
    });
    let plan = Plan { steps: steps.collect(), ..Plan::default() };
    apply(inventory, &plan);
}

fn placed(inventory: &Inventory, name: &str) -> Vec<ProcessId> {
    let id = ObjectId::new("default", "shop", name).unwrap();
    let mut hosts: Vec<ProcessId> =
        inventory.placements_of(&id).map(|(_, stored)| stored.record.host).collect();
    hosts.sort_unstable();
    hosts
}

fn keys(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| match step {
            Step::Create(record) => format!("create {}", record.key()),
            Step::Ensure(record) => format!("ensure {}", record.key()),
            Step::Update { record, .. } => format!("update {}", record.key()),
            Step::Delete { key, .. } => format!("delete {key}"),
        })
        .collect()
}

#[test]
fn first_deployment_writes_the_application_first_and_what_is_linked_before_its_links() {
    let mut desired = shop(vec![component("api", Some(1))]);
    desired.routes = vec![route("/", "api")];
    desired.links = vec![DesiredLink { link: link("api", "default/kv/kv"), is_default: false }];
    let plan = plan(&desired, &hosts(1));
    assert_eq!(
        keys(&plan),
        [
            "create application.default.shop",
            "create route._any._any._s",
            "create component.default_shop_api",
            "create link.default_shop_api.wasi_ckeyvalue_v0_d2_d0-draft.default",
        ]
    );
}

#[test]
fn generation_rises_only_for_what_changed() {
    let mut inventory = hosts(1);
    let mut desired = shop(vec![component("api", Some(1)), component("web", Some(1))]);
    deploy(&mut inventory, &desired);
    desired.components[0].digest = "sha256:01".to_owned();
    let plan = deploy(&mut inventory, &desired);
    assert_eq!(
        keys(&plan),
        ["update application.default.shop", "update component.default_shop_api"]
    );
    let generation = |name: &str| {
        inventory.components[&format!("component.default_shop_{name}")].record.generation
    };
    assert_eq!((generation("api"), generation("web")), (2, 1));
}

#[test]
fn what_the_new_version_drops_is_removed() {
    let mut inventory = hosts(2);
    let mut desired = shop(vec![component("api", Some(2)), component("web", Some(1))]);
    desired.routes = vec![route("/", "api"), route("/web", "web")];
    desired.links = vec![DesiredLink { link: link("web", "default/kv/kv"), is_default: false }];
    deploy(&mut inventory, &desired);
    desired.components.pop();
    desired.routes.pop();
    desired.links.clear();
    deploy(&mut inventory, &desired);
    assert_eq!(inventory.components.len(), 1);
    assert_eq!(inventory.routes.len(), 1);
    assert!(inventory.links.is_empty() && placed(&inventory, "web").is_empty());
    assert_eq!(placed(&inventory, "api").len(), 2);
    assert!(plan(&desired, &inventory).is_empty());
}

#[test]
fn removal_leaves_nothing_of_the_application_and_nothing_else_goes() {
    let mut inventory = hosts(2);
    let shared = shared_provider(&ObjectId::bare("keyvalue-redb").unwrap(), &builtins()).unwrap();
    let mut desired = shop(vec![component("api", Some(2))]);
    desired.shared = vec![shared.clone()];
    desired.routes = vec![route("/", "api")];
    desired.links = vec![DesiredLink { link: link("api", shared.id.as_str()), is_default: true }];
    deploy(&mut inventory, &desired);
    let by_hand = Link { name: "other".to_owned(), ..link("api", "default/x/x") };
    put(&mut inventory, &by_hand.into(), None);
    let removal = removal("default", "shop", &inventory).unwrap();
    assert_eq!(keys(&removal).last().unwrap(), "delete application.default.shop");
    apply(&mut inventory, &removal);
    assert!(inventory.applications.is_empty() && inventory.components.is_empty());
    assert!(inventory.links.is_empty() && inventory.routes.is_empty());
    assert_eq!(
        inventory.providers.len(),
        1,
        "a shared provider stays: its data is other people's too"
    );
    assert_eq!(inventory.placements.len(), 1);
    assert!(super::removal("default", "shop", &inventory).is_none());
    let removal = removal_of_shared(&shared.id, &inventory).unwrap();
    apply(&mut inventory, &removal);
    assert!(inventory.providers.is_empty() && inventory.placements.is_empty());
}

#[test]
fn provider_of_an_application_is_not_removed_alone() {
    let mut inventory = hosts(1);
    let mut desired = shop(Vec::new());
    desired.providers = vec![provider("db", Sharing::Replicable)];
    deploy(&mut inventory, &desired);
    assert!(removal_of_shared(&desired.providers[0].id, &inventory).is_none());
}

#[test]
fn more_replicas_than_hosts_are_said_and_not_doubled() {
    let mut inventory = hosts(2);
    let plan = deploy(&mut inventory, &shop(vec![component("api", Some(3))]));
    assert_eq!(placed(&inventory, "api").len(), 2);
    assert_eq!(plan.notes, ["default/shop/api wants 3 hosts, 2 match"]);
}

#[test]
fn exclusive_provider_stays_with_the_owner_of_its_data() {
    let mut inventory = hosts(3);
    let mut desired = shop(Vec::new());
    desired.providers = vec![provider("db", Sharing::Exclusive)];
    deploy(&mut inventory, &desired);
    let first = placed(&inventory, "db");
    assert_eq!(first.len(), 1);
    let stored = inventory.providers.get_mut("provider.default_shop_db").unwrap();
    stored.record.owner = Some(first[0]);
    inventory.hosts.retain(|host| host.process != first[0]);
    let plan = plan(&desired, &inventory);
    assert!(plan.is_empty(), "{plan:?}");
    assert!(plan.notes[0].contains("which is away"), "{:?}", plan.notes);
}

#[test]
fn default_link_that_was_re_pointed_stays_as_it_is() {
    let mut inventory = hosts(1);
    let mut desired = shop(vec![component("api", Some(1))]);
    desired.links = vec![DesiredLink { link: link("api", "default/kv/kv"), is_default: true }];
    deploy(&mut inventory, &desired);
    let key = link("api", "default/kv/kv").key();
    let stored = inventory.links.get_mut(&key).unwrap();
    stored.record.target = "default/other/other".parse().unwrap();
    assert!(plan(&desired, &inventory).is_empty());
    desired.links[0].is_default = false;
    assert_eq!(
        keys(&plan(&desired, &inventory)),
        ["update application.default.shop".to_owned(), format!("update {key}")]
    );
}

use wicker_lattice::store::Record as _;

prop_compose! {
    fn any_desired()(
        specs in prop::collection::vec((prop::option::of(1u32..4), 0u8..3, any::<bool>()), 0..6),
        exclusive in any::<bool>(),
    ) -> Desired {
        let components = specs.iter().enumerate().map(|(n, (replicas, digest, zoned))| {
            let mut component = component(&format!("c{n}"), *replicas);
            component.digest = format!("sha256:{digest}");
            if *zoned {
                component.spread.labels.insert("zone".to_owned(), "a".to_owned());
            }
            component
        }).collect();
        let mut desired = shop(components);
        if exclusive {
            desired.providers = vec![provider("db", Sharing::Exclusive)];
        }
        desired.routes = (0..specs.len()).map(|n| route(&format!("/{n}"), &format!("c{n}"))).collect();
        desired
    }
}

fn any_hosts() -> impl Strategy<Value = Vec<Host>> {
    prop::collection::btree_map(1u8..8, any::<bool>(), 0..6).prop_map(|hosts| {
        let zone = |in_a| if in_a { [("zone", "a")] } else { [("zone", "b")] };
        hosts.into_iter().map(|(number, in_a)| host(number, &zone(in_a))).collect()
    })
}

proptest! {
    #[test]
    fn a_written_plan_leaves_nothing_to_plan(
        versions in prop::collection::vec((any_desired(), any_hosts()), 1..5)
    ) {
        let mut inventory = Inventory::default();
        for (desired, hosts) in versions {
            inventory.hosts = hosts;
            deploy(&mut inventory, &desired);
            let again = plan(&desired, &inventory);
            prop_assert!(again.is_empty(), "{:?}", again.steps);
            prop_assert_eq!(inventory.components.len(), desired.components.len());
            prop_assert_eq!(inventory.routes.len(), desired.routes.len());
        }
        let removal = removal("default", "shop", &inventory).unwrap();
        apply(&mut inventory, &removal);
        prop_assert!(inventory.placements.is_empty() && inventory.components.is_empty() && inventory.routes.is_empty());
    }
}
