//! The laws of the reconciler, on a lattice of records without a network: what it writes is applied at once, hosts do
//! what their placements say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wicker_lattice::id::Incarnation;
use wicker_lattice::store::record::{
    Affinity, Grants, Limits, Load, ProgressState, Restored, Rollout, RunState, Spread,
};

use super::*;

mod crash;
mod large;

/// Records, hosts, and what they run.
#[derive(Default)]
struct Lattice {
    reconciler: Reconciler,
    components: BTreeMap<ObjectId, Component>,
    placements: BTreeMap<(ObjectId, ProcessId), Stored<Placement>>,
    hosts: BTreeMap<ProcessId, Host>,
    progress: Vec<Progress>,
    went_back: Vec<(u64, u64)>,
    /// Generations that no host can start.
    broken: BTreeSet<u64>,
    /// Hosts that do nothing.
    frozen: BTreeSet<ProcessId>,
    /// Hosts on which what runs says that it is not ready.
    unready: BTreeSet<ProcessId>,
    revision: u64,
    writes: usize,
    /// Objects that were looked at, each as often as it was.
    looked_at: usize,
    /// Fewest hosts that served an object at any time since this was reset.
    fewest: BTreeMap<ObjectId, usize>,
    serving: BTreeMap<(ObjectId, ProcessId), u64>,
}

fn process(number: u16) -> ProcessId {
    let [high, low] = number.to_be_bytes();
    let mut bytes = [1; 16];
    (bytes[0], bytes[1]) = (high, low);
    ProcessId::from_bytes(bytes)
}

fn host(number: u16, labels: &[(&str, &str)]) -> Host {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Host {
        process: process(number),
        incarnation: Incarnation::from_bytes([1; 16]),
        name: format!("host-{number}"),
        labels: labels.iter().map(pair).collect(),
        http: None,
        pid: None,
        version: String::new(),
        beat: 1,
        is_draining: false,
        degraded: None,
        load: None,
        busy: Default::default(),
        lost_at: None,
    }
}

fn id(name: &str) -> ObjectId {
    ObjectId::new("default", "shop", name).unwrap()
}

fn component(id: &ObjectId, generation: u64, replicas: Option<u32>) -> Component {
    Component {
        id: id.clone(),
        digest: format!("sha256:{generation}"),
        generation,
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

impl Lattice {
    fn with_hosts(count: u16) -> Self {
        let mut lattice = Self::default();
        (1..=count).for_each(|number| lattice.host(host(number, &[])));
        lattice
    }

    fn host(&mut self, host: Host) {
        self.hosts.insert(host.process, host.clone());
        self.reconciler.host(host);
    }

    fn kill(&mut self, host: ProcessId) {
        self.hosts.remove(&host);
        self.serving.retain(|(_, on), _| *on != host);
        self.reconciler.host_gone(host);
    }

    fn specify(&mut self, component: Component) {
        self.revision += 1;
        let stored = Stored { record: component.clone(), revision: self.revision };
        self.reconciler.component(&component.id, Some(stored));
        self.components.insert(component.id.clone(), component);
    }

    fn deploy(&mut self, generation: u64, components: Vec<Component>) {
        self.application(generation, &components, None);
        components.into_iter().for_each(|component| self.specify(component));
    }

    fn application(
        &mut self,
        generation: u64,
        components: &[Component],
        restores: Option<Restored>,
    ) {
        let keys = components.iter().map(wicker_lattice::store::Record::key).collect();
        let (team, name) = ("default".to_owned(), "shop".to_owned());
        let record = Application {
            team,
            name,
            version: None,
            generation,
            manifest: String::new(),
            keys,
            objects: components.iter().map(|each| (each.id.clone(), each.generation)).collect(),
            at: None,
            restores,
            is_paused: false,
        };
        self.revision += 1;
        let stored = Stored { record, revision: self.revision };
        self.reconciler.application("default", "shop", Some(stored));
    }

    /// One round: what it wants is written, then every host does what its placements say. Whether anything was wanted.
    fn step(&mut self) -> bool {
        self.looked_at += self.reconciler.dirty.len();
        let actions = self.reconciler.act();
        let is_busy = !actions.is_empty();
        for action in actions {
            match action {
                Action::Write(step) => self.write(step),
                Action::Tell(progress) => {
                    self.progress.push(progress.clone());
                    self.reconciler.progress(progress);
                }
                Action::GoBack { from, to, .. } => {
                    self.went_back.push((from, to));
                    let generation = from + 1;
                    let restored = Restored { generation: to, reason: String::new() };
                    let before: Vec<Component> = self.components.values().cloned().collect();
                    let again = before.into_iter().map(|component| Component {
                        digest: format!("sha256:{to}"),
                        generation,
                        ..component
                    });
                    let again: Vec<Component> = again.collect();
                    self.application(generation, &again, Some(restored));
                    again.into_iter().for_each(|component| self.specify(component));
                }
            }
        }
        self.run_hosts();
        is_busy
    }

    /// Rounds until nothing more is wanted.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn write(&mut self, step: Step) {
        self.writes += 1;
        self.revision += 1;
        match step {
            Step::Ensure(AnyRecord::Placement(record))
            | Step::Update { record: AnyRecord::Placement(record), .. } => {
                let stored = Stored { record: record.clone(), revision: self.revision };
                let key = (record.object.clone(), record.host);
                self.placements.insert(key, stored.clone());
                self.reconciler.placement(&record.object, record.host, Some(stored));
            }
            Step::Delete { before: AnyRecord::Placement(record), .. } => {
                self.placements.remove(&(record.object.clone(), record.host));
                self.reconciler.placement(&record.object, record.host, None);
            }
            other => panic!("it writes only placements: {other:?}"),
        }
    }

    fn run_hosts(&mut self) {
        let placed: Vec<Placement> =
            self.placements.values().map(|stored| stored.record.clone()).collect();
        for Placement { host, object, kind, generation } in &placed {
            if !self.hosts.contains_key(host) || self.frozen.contains(host) {
                continue;
            }
            let key = (object.clone(), *host);
            let before = self.serving.get(&key).copied();
            let is_broken = self.broken.contains(generation);
            if !is_broken {
                self.serving.insert(key, *generation);
            }
            let state = match (is_broken && before.is_none(), self.unready.contains(host)) {
                (true, _) => RunState::Failed,
                (false, true) => RunState::Unready,
                (false, false) => RunState::Ready,
            };
            let running = Running {
                object: object.clone(),
                kind: *kind,
                process: *host,
                incarnation: Incarnation::from_bytes([1; 16]),
                host: Some(*host),
                generation: if is_broken { before.unwrap_or(*generation) } else { *generation },
                digest: None,
                serves: Vec::new(),
                types: None,
                state,
                reason: is_broken.then(|| "it is broken".to_owned()),
                failing_links: Default::default(),
                failed_generation: is_broken.then_some(*generation),
                since: String::new(),
            };
            self.reconciler.running(object, *host, Some(running));
        }
        let gone: Vec<(ObjectId, ProcessId)> =
            self.serving.keys().filter(|key| !self.placements.contains_key(key)).cloned().collect();
        for (object, host) in gone {
            self.serving.remove(&(object.clone(), host));
            self.reconciler.running(&object, host, None);
        }
        let mut serving: BTreeMap<&ObjectId, usize> = BTreeMap::new();
        self.serving.keys().for_each(|(object, _)| *serving.entry(object).or_default() += 1);
        for object in self.components.keys() {
            let now = serving.get(object).copied().unwrap_or_default();
            let fewest = self.fewest.entry(object.clone()).or_insert(now);
            *fewest = now.min(*fewest);
        }
    }

    fn placed(&self, object: &ObjectId) -> BTreeSet<ProcessId> {
        self.placements
            .keys()
            .filter(|(placed, _)| placed == object)
            .map(|(_, host)| *host)
            .collect()
    }

    fn generations(&self, object: &ObjectId) -> Vec<u64> {
        let own = self.serving.iter().filter(|((serving, _), _)| serving == object);
        own.map(|(_, generation)| *generation).collect()
    }

    fn last(&self) -> (u64, ProgressState) {
        let last = self.progress.last().unwrap();
        (last.generation, last.state)
    }
}

#[test]
fn rollout_stops_and_goes_back_where_a_new_version_stops_being_ready() {
    let mut lattice = Lattice::with_hosts(3);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(3))]);
    lattice.settle();
    lattice.application(2, &[component(&id("api"), 2, Some(3))], None);
    lattice.specify(component(&id("api"), 2, Some(3)));
    lattice.step();
    let changed = lattice.placements.values().filter(|stored| stored.record.generation == 2);
    let changed: Vec<ProcessId> = changed.map(|stored| stored.record.host).collect();
    assert_eq!(changed.len(), 1, "one host at a time");
    lattice.unready.extend(changed);
    lattice.run_hosts();
    lattice.step();
    assert_eq!(lattice.went_back, [(2, 1)]);
    let failed = lattice.progress.iter().find(|told| told.state == ProgressState::Failed).unwrap();
    assert!(failed.reason.as_deref().unwrap().contains("it is not ready"), "{failed:?}");
    let changed =
        |generation| lattice.serving.values().filter(|serving| **serving == generation).count();
    assert!(changed(2) <= 1, "no other host has changed");
    lattice.unready.clear();
    lattice.settle();
    assert_eq!(lattice.last(), (3, ProgressState::Ready));
}

#[test]
fn replica_that_is_not_ready_later_is_told_and_nothing_is_taken_back() {
    let mut lattice = Lattice::with_hosts(2);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(2))]);
    lattice.settle();
    lattice.unready.insert(process(1));
    lattice.run_hosts();
    lattice.settle();
    assert_eq!(lattice.last(), (1, ProgressState::Failed));
    assert!(lattice.went_back.is_empty());
    assert_eq!(lattice.placed(&id("api")).len(), 2);
    lattice.unready.clear();
    lattice.run_hosts();
    lattice.settle();
    assert_eq!(lattice.last(), (1, ProgressState::Ready));
}

#[test]
fn singleton_leaves_a_draining_host_before_it_begins_elsewhere() {
    let mut lattice = Lattice::with_hosts(2);
    let singleton = Component { is_singleton: true, ..component(&id("api"), 1, Some(1)) };
    lattice.deploy(1, vec![singleton]);
    lattice.settle();
    let leaving = *lattice.placed(&id("api")).first().unwrap();
    // The next host cannot be ready: it waits for the claim of the last one.
    lattice.frozen.extend(lattice.hosts.keys().copied().filter(|host| *host != leaving));
    lattice.host(Host { is_draining: true, ..lattice.hosts[&leaving].clone() });
    lattice.step();
    assert_eq!(lattice.placed(&id("api")).len(), 1);
    assert!(!lattice.placed(&id("api")).contains(&leaving));
}

#[test]
fn replicas_are_spread_and_a_new_host_moves_nothing() {
    let mut lattice = Lattice::with_hosts(3);
    let components = (0..6).map(|n| component(&id(&format!("c{n}")), 1, Some(1))).collect();
    lattice.deploy(1, components);
    lattice.settle();
    for host in lattice.hosts.keys() {
        let on = lattice.placements.keys().filter(|(_, placed)| placed == host).count();
        assert_eq!(on, 2, "two of six on each of three hosts");
    }
    let before = lattice.placements.clone();
    lattice.host(host(9, &[]));
    lattice.settle();
    assert_eq!(lattice.placements, before);
    assert_eq!(lattice.last(), (1, ProgressState::Ready));
}

#[test]
fn lost_host_is_replaced_in_one_round_and_does_not_get_it_back() {
    let mut lattice = Lattice::with_hosts(3);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(2))]);
    lattice.settle();
    let before = lattice.placed(&id("api"));
    let lost = *before.first().unwrap();
    let record = lattice.hosts[&lost].clone();
    lattice.kill(lost);
    lattice.step();
    let after = lattice.placed(&id("api"));
    assert_eq!(after.len(), 2);
    assert!(!after.contains(&lost) && after.intersection(&before).count() == 1);
    lattice.host(record);
    lattice.settle();
    assert_eq!(lattice.placed(&id("api")), after, "no move when a host returns");
}

#[test]
fn draining_host_hands_over_before_it_stops() {
    let mut lattice = Lattice::with_hosts(2);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    let leaving = *lattice.placed(&id("api")).first().unwrap();
    lattice.fewest.clear();
    let draining = Host { is_draining: true, ..lattice.hosts[&leaving].clone() };
    lattice.host(draining);
    lattice.settle();
    assert!(!lattice.placed(&id("api")).contains(&leaving));
    assert_eq!(lattice.fewest[&id("api")], 1, "it served somewhere at any time");
}

#[test]
fn what_a_draining_host_cannot_hand_over_stays() {
    let mut lattice = Lattice::with_hosts(1);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    lattice.host(Host { is_draining: true, ..host(1, &[]) });
    lattice.settle();
    assert_eq!(lattice.placed(&id("api")).len(), 1);
}

#[test]
fn last_host_that_goes_finds_its_work_again_when_it_comes_back() {
    let mut lattice = Lattice::with_hosts(1);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    lattice.kill(process(1));
    lattice.settle();
    assert_eq!(lattice.placed(&id("api")), BTreeSet::from([process(1)]), "nobody can follow");
    lattice.host(host(2, &[]));
    lattice.settle();
    assert_eq!(lattice.placed(&id("api")), BTreeSet::from([process(2)]));
}

#[test]
fn shortage_is_said_and_mended_by_the_next_host() {
    let mut lattice = Lattice::with_hosts(2);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(3))]);
    lattice.settle();
    assert_eq!(lattice.last(), (1, ProgressState::Short));
    assert_eq!(
        lattice.progress.last().unwrap().reason.as_deref(),
        Some("default/shop/api wants 3 hosts, 2 match")
    );
    lattice.host(host(3, &[]));
    lattice.settle();
    assert_eq!((lattice.placed(&id("api")).len(), lattice.last()), (3, (1, ProgressState::Ready)));
}

#[test]
fn every_host_gets_what_is_wanted_everywhere() {
    let mut lattice = Lattice::with_hosts(2);
    lattice.deploy(1, vec![component(&id("agent"), 1, None)]);
    lattice.settle();
    lattice.host(host(3, &[]));
    lattice.settle();
    assert_eq!(lattice.placed(&id("agent")).len(), 3);
    lattice.kill(process(1));
    lattice.settle();
    assert_eq!(lattice.placed(&id("agent")).len(), 2);
}

#[test]
fn replicas_are_even_over_a_label_even_after_a_loss() {
    let mut lattice = Lattice::default();
    for (number, zone) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b"), (6, "c")] {
        lattice.host(host(number, &[("zone", zone)]));
    }
    let mut api = component(&id("api"), 1, Some(3));
    api.spread.over = Some("zone".to_owned());
    lattice.deploy(1, vec![api]);
    lattice.settle();
    let zones = |lattice: &Lattice| {
        let placed = lattice.placed(&id("api"));
        let zones =
            placed.iter().filter_map(|host| lattice.hosts[host].labels.get("zone").cloned());
        zones.collect::<BTreeSet<String>>()
    };
    assert_eq!(zones(&lattice).len(), 3, "one in each zone");
    let in_b = lattice
        .placed(&id("api"))
        .into_iter()
        .find(|host| lattice.hosts[host].labels["zone"] == "b");
    lattice.kill(in_b.unwrap());
    lattice.settle();
    assert_eq!(zones(&lattice).len(), 3, "the other host of the zone takes over");
}

#[test]
fn busy_host_gets_less() {
    let mut lattice = Lattice::with_hosts(2);
    let load = Load { cpu_percent: 85, memory_used_bytes: 1 << 30, memory_bytes: 8 << 30 };
    lattice.host(Host { load: Some(load), ..host(1, &[]) });
    lattice.deploy(1, vec![component(&id("a"), 1, Some(1)), component(&id("b"), 1, Some(1))]);
    lattice.settle();
    assert_eq!(lattice.placed(&id("a")), BTreeSet::from([process(2)]));
    assert_eq!(lattice.placed(&id("b")), BTreeSet::from([process(2)]));
    let calm = Load { cpu_percent: 10, ..load };
    lattice.host(Host { load: Some(calm), ..host(1, &[]) });
    lattice.settle();
    assert_eq!(lattice.placed(&id("a")), BTreeSet::from([process(2)]), "what runs stays");
}

#[test]
fn affinities_are_kept() {
    let mut lattice = Lattice::with_hosts(4);
    let near = |to: &str| vec![Affinity { to: id(to), is_required: true }];
    let mut cache = component(&id("cache"), 1, Some(2));
    cache.spread.near = near("api");
    let mut batch = component(&id("batch"), 1, Some(2));
    batch.spread.apart = near("api");
    lattice.deploy(1, vec![component(&id("api"), 1, Some(2)), cache, batch]);
    lattice.settle();
    let (api, cache, batch) =
        (lattice.placed(&id("api")), lattice.placed(&id("cache")), lattice.placed(&id("batch")));
    assert_eq!((api.clone(), cache.len()), (cache, 2));
    assert!(batch.is_disjoint(&api) && batch.len() == 2);
}

#[test]
fn rollout_changes_one_host_at_a_time_and_something_serves_throughout() {
    let mut lattice = Lattice::with_hosts(4);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(4))]);
    lattice.settle();
    lattice.fewest.clear();
    lattice.deploy(2, vec![component(&id("api"), 2, Some(4))]);
    let mut seen = Vec::new();
    while lattice.step() {
        seen.push(
            lattice.generations(&id("api")).iter().filter(|generation| **generation == 2).count(),
        );
    }
    assert_eq!(lattice.generations(&id("api")), [2; 4]);
    assert!(seen.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{seen:?}");
    assert_eq!(lattice.fewest[&id("api")], 4);
    assert_eq!(lattice.last(), (2, ProgressState::Ready));
}

#[test]
fn version_that_cannot_start_stops_at_the_first_host_and_goes_back() {
    let mut lattice = Lattice::with_hosts(4);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(4))]);
    lattice.settle();
    lattice.fewest.clear();
    lattice.broken.insert(2);
    lattice.deploy(2, vec![component(&id("api"), 2, Some(4))]);
    lattice.settle();
    assert_eq!(lattice.went_back, [(2, 1)]);
    assert_eq!(lattice.generations(&id("api")), [3; 4], "generation 3 is generation 1 again");
    assert_eq!(lattice.fewest[&id("api")], 4, "every host served all the time");
    assert_eq!(lattice.last(), (3, ProgressState::Ready));
}

#[test]
fn version_that_was_gone_back_to_is_not_left_again() {
    let mut lattice = Lattice::with_hosts(2);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(2))]);
    lattice.settle();
    lattice.broken.extend([2, 3]);
    lattice.deploy(2, vec![component(&id("api"), 2, Some(2))]);
    lattice.settle();
    assert_eq!(lattice.went_back, [(2, 1)]);
    assert_eq!(lattice.last(), (3, ProgressState::Failed));
}

#[test]
fn first_deployment_that_fails_has_nothing_to_go_back_to() {
    let mut lattice = Lattice::with_hosts(1);
    lattice.broken.insert(1);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    assert_eq!((lattice.went_back.len(), lattice.last()), (0, (1, ProgressState::Failed)));
    let reason = lattice.progress.last().unwrap().reason.clone().unwrap();
    assert!(reason.contains("default/shop/api on host-1: it is broken"), "{reason}");
}

#[test]
fn host_that_does_nothing_holds_the_rollout_up_and_loses_no_other() {
    let mut lattice = Lattice::with_hosts(3);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(3))]);
    lattice.settle();
    lattice.frozen.insert(process(1));
    lattice.deploy(2, vec![component(&id("api"), 2, Some(3))]);
    lattice.settle();
    let old = lattice.generations(&id("api")).iter().filter(|generation| **generation == 1).count();
    assert!(old >= 1 && lattice.generations(&id("api")).len() == 3);
    lattice.kill(process(1));
    lattice.settle();
    assert_eq!(lattice.generations(&id("api")), [2; 2]);
}

#[test]
fn scaling_down_keeps_what_serves_and_up_adds() {
    let mut lattice = Lattice::with_hosts(4);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(3))]);
    lattice.settle();
    let three = lattice.placed(&id("api"));
    lattice.specify(component(&id("api"), 1, Some(1)));
    lattice.settle();
    let one = lattice.placed(&id("api"));
    assert!(one.len() == 1 && one.is_subset(&three));
    lattice.specify(component(&id("api"), 1, Some(4)));
    lattice.settle();
    assert!(lattice.placed(&id("api")).len() == 4 && one.is_subset(&lattice.placed(&id("api"))));
}

proptest! {
    #[test]
    fn whatever_happens_to_hosts_what_can_run_runs(
        replicas in prop::collection::vec(prop::option::of(1u32..4), 1..5),
        happenings in prop::collection::vec((0u8..4, 1u16..7), 0..20),
    ) {
        let mut lattice = Lattice::with_hosts(4);
        let components: Vec<Component> = replicas.iter().enumerate()
            .map(|(n, replicas)| component(&id(&format!("c{n}")), 1, *replicas)).collect();
        lattice.deploy(1, components);
        lattice.settle();
        for (what, number) in happenings {
            match what {
                0 => lattice.kill(process(number)),
                1 => lattice.host(host(number, &[])),
                2 if lattice.hosts.contains_key(&process(number)) =>
                    lattice.host(Host { is_draining: true, ..host(number, &[]) }),
                _ => { lattice.step(); }
            }
        }
        lattice.settle();
        let open = lattice.hosts.values().filter(|host| !host.is_draining).count();
        for (n, replicas) in replicas.iter().enumerate() {
            let wanted = replicas.map_or(open, |replicas| open.min(replicas as usize));
            let there = lattice.placed(&id(&format!("c{n}")));
            let on_open = there.iter().filter(|host| lattice.hosts.get(host).is_some_and(|host| !host.is_draining)).count();
            prop_assert_eq!(on_open, wanted);
            if wanted > 0 {
                prop_assert!(there.iter().all(|host| lattice.hosts.contains_key(host)), "nothing is left on a host that is gone");
                prop_assert_eq!(there.len(), wanted, "nothing is left on a draining host");
            }
        }
        lattice.writes = 0;
        lattice.reconciler.touch_all();
        lattice.settle();
        prop_assert_eq!(lattice.writes, 0, "at rest, nothing is written");
    }
}

#[test]
fn deployment_that_is_half_written_is_not_ready() {
    let mut lattice = Lattice::with_hosts(1);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    let next = component(&id("api"), 2, Some(1));
    lattice.application(2, std::slice::from_ref(&next), None);
    lattice.settle();
    assert_eq!(lattice.last(), (2, ProgressState::Rolling), "its component is not written yet");
    lattice.broken.insert(2);
    lattice.specify(next);
    lattice.settle();
    assert_eq!(lattice.went_back, [(2, 1)]);
    let failed = lattice.progress.iter().find(|told| told.state == ProgressState::Failed).unwrap();
    assert_eq!((failed.generation, failed.goes_back_to), (2, Some(1)));
}

#[test]
fn deployment_that_asks_for_more_hosts_is_not_ready_before_they_serve() {
    let mut lattice = Lattice::with_hosts(3);
    lattice.deploy(1, vec![component(&id("api"), 1, Some(1))]);
    lattice.settle();
    lattice.progress.clear();
    lattice.deploy(2, vec![component(&id("api"), 1, Some(3))]);
    lattice.settle();
    let states: Vec<ProgressState> = lattice.progress.iter().map(|told| told.state).collect();
    assert_eq!(states.first(), Some(&ProgressState::Rolling));
    assert_eq!(states.last(), Some(&ProgressState::Ready));
}
