//! One object: where it should run, and which host changes to its new version next.

use std::collections::{BTreeMap, BTreeSet};

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{
    Component, ObjectKind, Placement, Provider, ProviderSource, Rollout, RunState, Running,
    Sharing, Spread,
};

use super::scale::Scale;
use crate::inventory::Stored;
use crate::placement::{Choice, Hosts, Neighbours, Question};
use crate::plan::Step;

/// What should run.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A component.
    Component(Stored<Component>),
    /// A provider.
    Provider(Stored<Provider>),
}

impl Spec {
    pub(super) fn generation(&self) -> u64 {
        match self {
            Self::Component(stored) => stored.record.generation,
            Self::Provider(stored) => stored.record.generation,
        }
    }

    fn kind(&self) -> ObjectKind {
        match self {
            Self::Component(_) => ObjectKind::Component,
            Self::Provider(_) => ObjectKind::Provider,
        }
    }

    pub(super) fn spread(&self) -> &Spread {
        match self {
            Self::Component(stored) => &stored.record.spread,
            Self::Provider(stored) => &stored.record.spread,
        }
    }

    fn rollout(&self) -> &Rollout {
        match self {
            Self::Component(stored) => &stored.record.rollout,
            Self::Provider(stored) => &stored.record.rollout,
        }
    }

    pub(super) fn rolls_back(&self) -> bool {
        self.rollout().rolls_back
    }

    /// Whether the next host begins only when the last one has stopped. Claims see to that; waiting for the next one to be
    /// ready would wait forever.
    fn is_singleton(&self) -> bool {
        match self {
            Self::Component(stored) => stored.record.is_singleton,
            Self::Provider(stored) => stored.record.is_singleton,
        }
    }

    /// Whether it is this reconciler's to place: a bare file belongs to its host, an external provider to whoever starts it.
    pub(super) fn is_placed_here(&self) -> bool {
        match self {
            Self::Component(stored) => !stored.record.is_bare,
            Self::Provider(stored) => stored.record.source != ProviderSource::External,
        }
    }
}

/// What is known about one object.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) spec: Option<Spec>,
    pub(super) placements: BTreeMap<ProcessId, Stored<Placement>>,
    /// What each process says that runs it.
    running: BTreeMap<ProcessId, Running>,
    /// How many hosts it wants by what it has to do, where it is scaled.
    scale: Scale,
}

/// What to write for one object.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) steps: Vec<Step>,
    pub(super) may_grow: bool,
}

impl Object {
    /// The hosts that it is placed on.
    pub(super) fn hosts(&self) -> BTreeSet<ProcessId> {
        self.placements.keys().copied().collect()
    }

    /// The objects that it should be near to or apart from.
    pub(super) fn affinities(&self) -> Vec<ObjectId> {
        let Some(spec) = &self.spec else { return Vec::new() };
        let spread = spec.spread();
        spread.near.iter().chain(&spread.apart).map(|affinity| affinity.to.clone()).collect()
    }

    /// Whether its spec is of this generation already, or of a newer one.
    pub(super) fn is_specified(&self, generation: u64) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.generation() >= generation)
    }

    /// Whether nothing is known about it any more.
    pub(super) fn is_forgotten(&self) -> bool {
        self.spec.is_none() && self.placements.is_empty() && self.running.is_empty()
    }

    /// Takes in what a process says; whether it is news.
    pub(super) fn hear(&mut self, process: ProcessId, running: Option<Running>) -> bool {
        match running {
            Some(running) => self.running.insert(process, running.clone()) != Some(running),
            None => self.running.remove(&process).is_some(),
        }
    }

    /// What runs on `host`, as the host or the process it launched says.
    pub(super) fn on(&self, host: ProcessId) -> Option<&Running> {
        self.running.values().find(|running| running.host.unwrap_or(running.process) == host)
    }

    /// Where it should run.
    pub(super) fn choose(
        &self,
        id: &ObjectId,
        hosts: &Hosts,
        neighbours: &impl Neighbours,
    ) -> Choice {
        let Some(spec) = &self.spec else { return Choice::default() };
        let current = self.hosts();
        let wanted = self.scale.wanted().unwrap_or(current.len());
        let (current, spread) = (&current, &spec.spread().scaled(wanted));
        let question = Question { id, spread, current, hosts, neighbours };
        match spec {
            Spec::Provider(stored) if stored.record.sharing == Sharing::Exclusive => {
                question.exclusive(stored.record.owner)
            }
            _ => question.spread(),
        }
    }

    /// Takes in how busy it is; whether it wants another number of hosts now.
    pub(super) fn measure(&mut self, hosts: &Hosts, id: &ObjectId) -> bool {
        let spread = self.spec.as_ref().map(Spec::spread);
        let Some(scaling) = spread.and_then(|spread| spread.scaling.clone()) else { return false };
        let there = self.placements.keys().filter_map(|host| hosts.get(*host));
        let busy = there.filter_map(|view| view.host.busy.get(id)).sum();
        self.scale.measure(&scaling, busy, self.placements.len())
    }

    /// Whether it is scaled by what it has to do.
    pub(super) fn is_scaled(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.spread().scaling.is_some())
    }

    /// What to write next: new placements at once, the next hosts of a rollout, and the end of what nobody needs.
    pub(super) fn decide(
        &self,
        id: &ObjectId,
        hosts: &Hosts,
        neighbours: &impl Neighbours,
    ) -> Decision {
        let Some(spec) = &self.spec else {
            let steps = self.placements.values().map(remove).collect();
            return Decision { steps, may_grow: false };
        };
        if !spec.is_placed_here() {
            return Decision::default();
        }
        let choice = self.choose(id, hosts, neighbours);
        let wanted: BTreeSet<ProcessId> = choice.hosts.iter().copied().collect();
        let (kind, generation) = (spec.kind(), spec.generation());
        let missing = wanted.iter().filter(|host| !self.placements.contains_key(host));
        let mut steps: Vec<Step> = missing
            .map(|host| Placement { host: *host, object: id.clone(), kind, generation })
            .map(|placement| Step::Ensure(placement.into()))
            .collect();
        steps.extend(self.roll(spec));
        let is_covered = self.is_covered(&wanted, generation);
        let leaving = self.placements.iter().filter(|(host, _)| !wanted.contains(host));
        // A host that lives goes on serving until those that follow it are ready; one that is gone serves nothing. Where
        // nobody can follow, everything stays where it is: it runs again when its host comes back.
        let is_followed = |host: &ProcessId| {
            !wanted.is_empty() && (spec.is_singleton() || hosts.get(*host).is_none())
        };
        let leaving = leaving.filter(|(host, _)| is_covered || is_followed(host));
        steps.extend(leaving.map(|(_, stored)| remove(stored)));
        Decision { steps, may_grow: choice.may_grow }
    }

    /// Orders the next hosts to change to the newest version, as many as may change at once.
    fn roll(&self, spec: &Spec) -> Vec<Step> {
        let newest = spec.generation();
        let (stale, ordered): (Vec<_>, Vec<_>) =
            self.placements.iter().partition(|(_, stored)| stored.record.generation < newest);
        if ordered.iter().any(|(host, _)| self.failure(**host, newest).is_some()) {
            return Vec::new();
        }
        let changing = ordered.iter().filter(|(host, _)| !self.is_settled(**host, newest)).count();
        let may_change = usize::try_from(spec.rollout().at_once.max(1)).unwrap_or(usize::MAX);
        let next = stale.into_iter().take(may_change.saturating_sub(changing));
        next.map(|(_, stored)| Step::Update {
            record: Placement { generation: newest, ..stored.record.clone() }.into(),
            revision: stored.revision,
            before: stored.record.clone().into(),
        })
        .collect()
    }

    /// Whether `host` serves this generation or a newer one.
    pub(super) fn is_settled(&self, host: ProcessId, generation: u64) -> bool {
        self.on(host)
            .is_some_and(|running| running.generation >= generation && running.state.takes_calls())
    }

    /// Why `host` cannot run this generation, or not well enough to take calls.
    pub(super) fn failure(&self, host: ProcessId, generation: u64) -> Option<String> {
        let running = self.on(host)?;
        let reason = || running.reason.clone();
        let is_this = running.generation >= generation;
        match running.state {
            RunState::Unready if is_this => {
                Some(format!("it is not ready: {}", reason().unwrap_or_default()))
            }
            state => {
                let has_failed = running.failed_generation.is_some_and(|it| it >= generation)
                    || (is_this && state == RunState::Failed);
                has_failed.then(|| reason().unwrap_or_else(|| "it cannot be started".to_owned()))
            }
        }
    }

    /// Whether every wanted host serves already, so that the others may stop.
    fn is_covered(&self, wanted: &BTreeSet<ProcessId>, generation: u64) -> bool {
        !wanted.is_empty()
            && wanted.iter().all(|host| self.is_settled(*host, generation.min(self.oldest())))
    }

    /// The oldest generation that any host is ordered to run.
    fn oldest(&self) -> u64 {
        self.placements.values().map(|stored| stored.record.generation).min().unwrap_or_default()
    }
}

fn remove(stored: &Stored<Placement>) -> Step {
    Step::Delete { key: stored.record.key(), before: stored.record.clone().into() }
}
