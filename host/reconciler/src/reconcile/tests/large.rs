//! A lattice of many teams: 1,000 applications, 10,000 links, 200 hosts, as the records that their deployments write.

use wicker_lattice::store::record::{
    Export, Link, Provider, ProviderSource, Route, Scope, Sharing,
};

use super::*;
use crate::inventory::Inventory;
use crate::plan::plan;
use crate::validate::{Desired, DesiredLink};

const APPLICATIONS: usize = 1_000;
/// Of each application's components.
const REPLICAS: [u32; 5] = [1, 2, 3, 1, 2];
const COMPONENTS: usize = REPLICAS.len();
const LINKS: usize = 10;
const HOSTS: u16 = 200;

/// What one value of the store may hold: it does not grow with the lattice.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// The records, and the reconciler that follows them.
struct Large {
    lattice: Lattice,
    inventory: Inventory,
    largest_value: usize,
}

fn team(number: usize) -> String {
    format!("team-{}", number % 20)
}

fn object(application: usize, name: &str) -> ObjectId {
    ObjectId::new(&team(application), &format!("a{application}"), name).unwrap()
}

fn linked(source: ObjectId, package: usize, target: ObjectId) -> DesiredLink {
    let link = Link {
        source,
        scope: Scope::Package(format!("acme:p{package}@1").parse().unwrap()),
        name: "default".to_owned(),
        target,
        split: Vec::new(),
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
    };
    DesiredLink { link, is_default: false }
}

/// Five components: replicated, spread, near and apart of each other; a provider; links among them and to the export of
/// another team.
fn application(number: usize, digest: u64) -> Desired {
    let name = |n: usize| object(number, &format!("c{n}"));
    let near = |to: ObjectId| vec![Affinity { to, is_required: false }];
    let mut components: Vec<Component> =
        (0..).zip(REPLICAS).map(|(n, replicas)| component(&name(n), 0, Some(replicas))).collect();
    components[0].digest = format!("sha256:{digest}");
    components[2].spread.over = Some("zone".to_owned());
    components[3].spread.near = near(name(0));
    components[4].spread.apart = near(name(0));
    let store = Provider {
        id: object(number, "store"),
        source: ProviderSource::Builtin("keyvalue-redis".to_owned()),
        generation: 0,
        config: serde_json::Value::Null,
        sharing: Sharing::Replicable,
        owner: None,
        is_singleton: false,
        spread: Spread::default(),
        rollout: Rollout::default(),
    };
    let to = |n: usize| match n % 3 {
        0 => object(number, "store"),
        1 => name((n + 1) % COMPONENTS),
        _ => object((number + 1) % APPLICATIONS, "api"),
    };
    Desired {
        team: team(number),
        application: format!("a{number}"),
        version: None,
        manifest: format!("application: a{number}"),
        components,
        providers: vec![store],
        links: (0..LINKS).map(|n| linked(name(n % COMPONENTS), n, to(n))).collect(),
        routes: vec![Route {
            host: Some(format!("a{number}.example.com")),
            path: "/".to_owned(),
            target: name(0),
            split: Vec::new(),
            claimed_by: format!("{}/a{number}", team(number)),
            only_on: None,
        }],
        schedules: Vec::new(),
        exports: vec![Export {
            id: object(number, "api"),
            target: name(0),
            interfaces: Vec::new(),
            to: BTreeMap::from([(team(number + 19), Default::default())]),
        }],
        shared: Vec::new(),
        at: None,
        restores: None,
    }
}

impl Large {
    fn new() -> Self {
        let mut lattice = Lattice::default();
        for number in 1..=HOSTS {
            let zone = format!("zone-{}", number % 4);
            lattice.host(host(number, &[("zone", &zone)]));
        }
        let hosts = lattice.hosts.values().cloned().collect();
        let inventory = Inventory { hosts, ..Inventory::default() };
        Self { lattice, inventory, largest_value: 0 }
    }

    /// What `wicker deploy` does: plans, and writes; how many records.
    fn deploy(&mut self, desired: &Desired) -> usize {
        let steps = plan(desired, &self.inventory).steps;
        let writes = steps.len();
        for step in steps {
            match step {
                Step::Create(record) | Step::Ensure(record) | Step::Update { record, .. } => {
                    self.put(record);
                }
                Step::Delete { .. } => panic!("nothing is taken away here"),
            }
        }
        writes
    }

    fn put(&mut self, record: AnyRecord) {
        let value = serde_json::to_vec(&record).unwrap();
        self.largest_value = self.largest_value.max(value.len());
        self.lattice.revision += 1;
        let (key, revision) = (record.key(), self.lattice.revision);
        let Inventory {
            applications,
            components,
            providers,
            links,
            routes,
            exports,
            schedules,
            ..
        } = &mut self.inventory;
        match record {
            AnyRecord::Application(record) => {
                let stored = Stored { record, revision };
                applications.insert(key, stored.clone());
                let (team, name) = (stored.record.team.clone(), stored.record.name.clone());
                self.lattice.reconciler.application(&team, &name, Some(stored));
            }
            AnyRecord::Component(record) => {
                components.insert(key, Stored { record: record.clone(), revision });
                self.lattice.specify(record);
            }
            AnyRecord::Provider(record) => {
                let stored = Stored { record, revision };
                providers.insert(key, stored.clone());
                self.lattice.reconciler.provider(&stored.record.id.clone(), Some(stored));
            }
            AnyRecord::Link(record) => _ = links.insert(key, Stored { record, revision }),
            AnyRecord::Route(record) => _ = routes.insert(key, Stored { record, revision }),
            AnyRecord::Export(record) => _ = exports.insert(key, Stored { record, revision }),
            AnyRecord::Schedule(record) => {
                _ = schedules.insert(key, Stored { record, revision });
            }
            AnyRecord::Placement(_) => panic!("placements are the reconciler's"),
        }
    }

    /// Lets it come to rest: how many objects were looked at, and how many placements written.
    fn settle(&mut self) -> (usize, usize) {
        (self.lattice.looked_at, self.lattice.writes) = (0, 0);
        self.lattice.progress.clear();
        self.lattice.settle();
        (self.lattice.looked_at, self.lattice.writes)
    }

    fn placed_on(&self, host: ProcessId) -> usize {
        self.lattice.reconciler.objects.on.get(&host).map_or(0, BTreeSet::len)
    }
}

#[test]
fn a_thousand_applications_converge_and_a_change_costs_what_it_changes() {
    let mut large = Large::new();
    for number in 0..APPLICATIONS {
        let writes = large.deploy(&application(number, 1));
        assert_eq!(writes, 1 + COMPONENTS + 1 + LINKS + 1 + 1, "each record once");
    }
    assert_eq!(large.inventory.links.len(), APPLICATIONS * LINKS);
    let (looked_at, writes) = large.settle();
    // The replicas, and the provider.
    let placements = APPLICATIONS * 10;
    assert_eq!((writes, large.lattice.placements.len()), (placements, placements));
    assert!(looked_at <= 4 * placements, "{looked_at} looks for {placements} placements");
    let ready = large.lattice.progress.iter().filter(|told| told.state == ProgressState::Ready);
    assert_eq!(ready.count(), APPLICATIONS);
    let on = |large: &Large| -> Vec<usize> {
        large.lattice.hosts.keys().map(|host| large.placed_on(*host)).collect()
    };
    let (fewest, most) = (*on(&large).iter().min().unwrap(), *on(&large).iter().max().unwrap());
    assert!(most - fewest <= 10, "balanced: {fewest} to {most} of 50");
    assert!(large.largest_value <= VALUE_BYTES_MAX, "a value of {} bytes", large.largest_value);

    // One application gets a new version of one component, which has one replica.
    assert_eq!(large.deploy(&application(7, 2)), 2, "the application, and the component");
    let (looked_at, writes) = large.settle();
    assert_eq!(writes, 1, "its placement");
    assert!(looked_at <= 3 * (COMPONENTS + 1), "{looked_at} looks for one component");
    assert_eq!(large.deploy(&application(7, 2)), 0, "nothing has changed");
    assert_eq!(large.settle(), (0, 0));

    // A host is lost: what it ran is placed anew, nothing else is touched.
    let lost = process(1);
    let ran = large.placed_on(lost);
    large.lattice.kill(lost);
    let (looked_at, writes) = large.settle();
    assert_eq!(writes, 2 * ran, "one placement more and one less for each");
    assert!(looked_at <= 8 * ran, "{looked_at} looks for {ran} objects");
    large.lattice.host(host(1, &[("zone", "zone-1")]));
    assert_eq!(large.settle().1, 0, "a host that returns moves nothing");
}
