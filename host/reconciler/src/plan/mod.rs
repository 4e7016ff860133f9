//! From what an application wants and what the lattice holds to the fewest writes that make them agree. Pure.
//!
//! [`plan`] changes nothing that is as it should be: a second plan after the first was written is empty, an object's
//! generation rises only when the object changes. Where things run is written by the reconciler
//! ([`crate::reconcile`]); a plan only foresees it. [`removal`] is the plan for nothing. The order of the steps keeps requests flowing (what is new is there before what is old goes) and lets the
//! application's record, written first and checked by its revision, decide between two who plan at once.

mod record;
mod restore;

use std::collections::{BTreeMap, BTreeSet};

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::key;
use wicker_lattice::store::record::{
    Application, Component, ObjectKind, Provider, ProviderSource, Rollout, Schedule, Sharing,
    Spread,
};

pub use record::AnyRecord;
pub use restore::restore;

use crate::inventory::{Inventory, Records, Stored};
use crate::placement::{Choice, Hosts, Neighbours as _, Question};
use crate::validate::{Desired, DesiredLink};

/// What to write, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// One after the other; the first that fails with a conflict ends the plan: read again, plan again.
    pub steps: Vec<Step>,
    /// What the user should know: replicas that found no host, data on a host that is away.
    pub notes: Vec<String>,
    /// Where each object of the application, and each shared provider it uses, will run, by the hosts there are now.
    pub placed: BTreeMap<ObjectId, Placed>,
}

/// Where an object is to run. External providers are not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Component or provider.
    pub kind: ObjectKind,
    /// Of its spec.
    pub generation: u64,
    /// In the order of their ids.
    pub hosts: Vec<ProcessId>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most steps are updates, and a plan has few steps")]
pub enum Step {
    /// Write a record where there must be none.
    Create(AnyRecord),
    /// Write a record where there is none; one that is there already is fine.
    Ensure(AnyRecord),
    /// Write over a revision.
    Update {
        /// The new record.
        record: AnyRecord,
        /// The revision it replaces.
        revision: u64,
        /// What the record said before.
        before: AnyRecord,
    },
    /// Delete a record.
    Delete {
        /// Its key in the spec bucket.
        key: String,
        /// What it said.
        before: AnyRecord,
    },
}

impl Plan {
    /// Whether everything is as it should be already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What to write so that the lattice holds what `desired` says.
#[must_use]
pub fn plan(desired: &Desired, inventory: &Inventory) -> Plan {
    let mut planner = Planner::new(inventory, &desired.team, &desired.application);
    for provider in &desired.shared {
        planner.shared(provider);
    }
    for provider in &desired.providers {
        planner.provider(provider);
    }
    for component in &desired.components {
        planner.component(component);
    }
    for export in &desired.exports {
        planner.own(export.clone().into(), find(&inventory.exports, export));
    }
    for link in &desired.links {
        planner.link(link);
    }
    for route in &desired.routes {
        planner.own(route.clone().into(), find(&inventory.routes, route));
    }
    for schedule in &desired.schedules {
        planner.schedule(schedule, desired.at.as_deref());
    }
    planner.finish(Some(desired))
}

/// What to write so that a provider of no application is there and has a host: for `wicker link set` and bare files.
///
/// One that is there stays as it is.
#[must_use]
pub fn plan_shared(provider: &Provider, inventory: &Inventory) -> Plan {
    let mut planner = Planner::new(inventory, provider.id.team(), provider.id.application());
    planner.shared(provider);
    planner.plan
}

/// What to write so that a provider of no application is gone; `None` where there is no such provider.
#[must_use]
pub fn removal_of_shared(provider: &ObjectId, inventory: &Inventory) -> Option<Plan> {
    let key = key::provider(provider);
    let stored = inventory.providers.get(&key)?;
    let mut applications = inventory.applications.values();
    if applications.any(|application| application.record.keys.contains(&key)) {
        return None;
    }
    // The spec first: the reconciler would place again what it still sees specified.
    let mut steps = vec![delete(stored.record.clone().into())];
    let placements = inventory.placements_of(provider);
    steps.extend(placements.map(|(_, stored)| delete(stored.record.clone().into())));
    Some(Plan { steps, ..Plan::default() })
}

/// What to write so that nothing of an application is left; `None` where there is no such application.
#[must_use]
pub fn removal(team: &str, application: &str, inventory: &Inventory) -> Option<Plan> {
    inventory.applications.get(&key::application(team, application))?;
    Some(Planner::new(inventory, team, application).finish(None))
}

fn find<'a, R: wicker_lattice::store::Record>(
    records: &'a Records<R>,
    record: &R,
) -> Option<&'a Stored<R>> {
    records.get(&record.key())
}

struct Planner<'a> {
    inventory: &'a Inventory,
    before: Option<&'a Stored<Application>>,
    team: &'a str,
    application: &'a str,
    /// Of this deployment.
    generation: u64,
    hosts: Hosts,
    /// Keys that the application holds from now on.
    keys: BTreeSet<String>,
    /// Its components and providers, and the generations of their specs.
    objects: BTreeMap<ObjectId, u64>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(inventory: &'a Inventory, team: &'a str, application: &'a str) -> Self {
        let before = inventory.applications.get(&key::application(team, application));
        let ours = (team, application);
        let components = records_of(&inventory.components, ours);
        let generations = components
            .map(|(_, component)| component.record.generation)
            .chain(
                records_of(&inventory.providers, ours)
                    .map(|(_, provider)| provider.record.generation),
            )
            .chain(before.map(|stored| stored.record.generation))
            .chain(inventory.retired.get(&key::application(team, application)).copied());
        Self {
            inventory,
            before,
            team,
            application,
            generation: generations.max().unwrap_or_default() + 1,
            hosts: inventory.hosts_with_load(),
            keys: BTreeSet::new(),
            objects: BTreeMap::new(),
            plan: Plan::default(),
        }
    }

    /// Writes a record of the application's own, unless it says this already.
    fn own<R: Into<AnyRecord> + Clone + PartialEq>(
        &mut self,
        record: AnyRecord,
        stored: Option<&Stored<R>>,
    ) {
        self.keys.insert(record.key());
        match stored.map(|stored| (stored.revision, stored.record.clone().into())) {
            None => self.plan.steps.push(Step::Create(record)),
            Some((_, before)) if before == record => {}
            Some((revision, before)) => {
                self.plan.steps.push(Step::Update { record, revision, before })
            }
        }
    }

    fn component(&mut self, component: &Component) {
        let stored = find(&self.inventory.components, component);
        let generation = match stored.map(|stored| &stored.record) {
            Some(before) if same_component(before, component) => before.generation,
            _ => self.generation,
        };
        self.objects.insert(component.id.clone(), generation);
        self.own(Component { generation, ..component.clone() }.into(), stored);
        let choice = self.question(&component.id, &component.spread, |question| question.spread());
        self.foresee(&component.id, ObjectKind::Component, generation, choice);
    }

    fn provider(&mut self, provider: &Provider) {
        let stored = find(&self.inventory.providers, provider);
        let owner = stored.and_then(|stored| stored.record.owner);
        let provider = Provider { owner, ..provider.clone() };
        let generation = match stored.map(|stored| &stored.record) {
            Some(before) if same_provider(before, &provider) => before.generation,
            _ => self.generation,
        };
        self.objects.insert(provider.id.clone(), generation);
        self.own(Provider { generation, ..provider.clone() }.into(), stored);
        self.place_provider(&provider, generation);
    }

    /// A provider that several applications use: made if it is missing, and given a host if it has none.
    fn shared(&mut self, provider: &Provider) {
        let stored = find(&self.inventory.providers, provider);
        if stored.is_none() {
            self.plan.steps.push(Step::Ensure(provider.clone().into()));
        }
        let provider = stored.map_or(provider, |stored| &stored.record);
        self.place_provider(provider, provider.generation);
    }

    fn place_provider(&mut self, provider: &Provider, generation: u64) {
        if provider.source == ProviderSource::External {
            return;
        }
        let id = &provider.id;
        let choice = self.question(id, &provider.spread, |question| match provider.sharing {
            Sharing::Exclusive => question.exclusive(provider.owner),
            Sharing::Replicable => question.spread(),
        });
        self.foresee(id, ObjectKind::Provider, generation, choice);
    }

    fn question(
        &self,
        id: &ObjectId,
        spread: &Spread,
        ask: impl FnOnce(&Question<'_, Inventory>) -> Choice,
    ) -> Choice {
        let current = &self.inventory.hosts_of(id);
        let (hosts, neighbours) = (&self.hosts, self.inventory);
        ask(&Question { id, spread, current, hosts, neighbours })
    }

    fn foresee(&mut self, id: &ObjectId, kind: ObjectKind, generation: u64, choice: Choice) {
        choice.hosts.iter().for_each(|host| self.hosts.count(*host, 1));
        self.plan.notes.extend(choice.shortage);
        self.plan.placed.insert(id.clone(), Placed { kind, generation, hosts: choice.hosts });
    }

    fn link(&mut self, DesiredLink { link, is_default }: &DesiredLink) {
        let stored = find(&self.inventory.links, link);
        let link = match stored {
            Some(stored) if *is_default => &stored.record,
            _ => link,
        };
        self.own(link.clone().into(), stored);
    }

    /// One whose timing stays goes on; another begins with this deployment.
    fn schedule(&mut self, schedule: &Schedule, at: Option<&str>) {
        let stored = find(&self.inventory.schedules, schedule);
        let same =
            stored.map(|stored| &stored.record).filter(|each| each.timing == schedule.timing);
        let now = || at.and_then(unix_ms).unwrap_or(schedule.since_ms);
        let since_ms = same.map_or_else(now, |same| same.since_ms);
        self.own(Schedule { since_ms, ..schedule.clone() }.into(), stored);
    }

    /// Puts the steps in order and adds what goes: everything when nothing is desired any more.
    fn finish(mut self, desired: Option<&Desired>) -> Plan {
        let removed = self.removed(desired);
        let mut steps = std::mem::take(&mut self.plan.steps);
        steps.sort_by_key(|step| match step {
            Step::Create(record) | Step::Ensure(record) | Step::Update { record, .. } => {
                record.rank()
            }
            Step::Delete { before, .. } => before.rank(),
        });
        steps.extend(removed);
        let before = self.before;
        match desired {
            Some(desired) => {
                if let Some(step) = self.application_step(desired, &steps) {
                    steps.insert(0, step);
                }
            }
            None => steps.extend(before.map(|stored| delete(stored.record.clone().into()))),
        }
        self.plan.steps = steps;
        self.plan
    }

    /// The record that holds the application together; its keys include what is still to be removed.
    fn application_step(&self, desired: &Desired, others: &[Step]) -> Option<Step> {
        let removed = others.iter().filter_map(|step| match step {
            Step::Delete { key, .. } => Some(key.clone()),
            _ => None,
        });
        let record = Application {
            team: self.team.to_owned(),
            name: self.application.to_owned(),
            version: desired.version.clone(),
            generation: self.generation,
            manifest: desired.manifest.clone(),
            keys: self.keys.iter().cloned().chain(removed).collect(),
            objects: self.objects.clone(),
            at: desired.at.clone(),
            restores: desired.restores.clone(),
            is_paused: self.before.is_some_and(|stored| stored.record.is_paused),
        };
        let Some(stored) = self.before else { return Some(Step::Create(record.into())) };
        let is_same = (&stored.record.version, &stored.record.manifest)
            == (&record.version, &record.manifest);
        let before = stored.record.clone().into();
        (!others.is_empty() || !is_same).then(|| Step::Update {
            record: record.into(),
            revision: stored.revision,
            before,
        })
    }

    /// What the application held and holds no more, what leads to its objects first; where nothing is desired any more, also
    /// the links that users made for its objects.
    fn removed(&self, desired: Option<&Desired>) -> Vec<Step> {
        let held = self.before.iter().flat_map(|stored| &stored.record.keys);
        let gone: BTreeSet<&String> = held.filter(|key| !self.keys.contains(*key)).collect();
        let objects: Vec<AnyRecord> = found(&self.inventory.components, &gone)
            .chain(found(&self.inventory.providers, &gone))
            .collect();
        let ids: BTreeSet<&ObjectId> = objects.iter().filter_map(AnyRecord::object).collect();
        let claimant = format!("{}/{}", self.team, self.application);
        let routes = found(&self.inventory.routes, &gone).filter(
            |route| matches!(route, AnyRecord::Route(route) if route.claimed_by == claimant),
        );
        let own_links = records_of(&self.inventory.links, (self.team, self.application));
        let links = own_links.filter(|(key, stored)| {
            gone.contains(*key) || ids.contains(&stored.record.source) || desired.is_none()
        });
        let placements = ids.iter().flat_map(|id| self.inventory.placements_of(id));
        let exports = found(&self.inventory.exports, &gone);
        let schedules = found(&self.inventory.schedules, &gone);
        let mut steps: Vec<Step> = routes.chain(exports).chain(schedules).map(delete).collect();
        // Specs before placements: the reconciler would place again what it still sees specified.
        steps.extend(objects.iter().cloned().map(delete));
        steps.extend(placements.map(|(_, stored)| delete(stored.record.clone().into())));
        steps.extend(links.map(|(_, stored)| delete(stored.record.clone().into())));
        steps
    }
}

/// The records of one application's objects, or that begin at one of them, whatever else there is: their keys lie together.
fn records_of<'a, R: wicker_lattice::store::Record>(
    records: &'a Records<R>,
    (team, application): (&str, &str),
) -> impl Iterator<Item = (&'a String, &'a Stored<R>)> + use<'a, R> {
    let prefix = format!("{}.{team}_{application}_", R::KIND);
    let from = records.range(prefix.clone()..);
    from.take_while(move |(key, _)| key.starts_with(&prefix))
}

/// Those of `records` that have one of these keys.
fn found<'a, R: Clone + Into<AnyRecord>>(
    records: &'a Records<R>,
    keys: &'a BTreeSet<&String>,
) -> impl Iterator<Item = AnyRecord> + 'a {
    keys.iter().filter_map(|key| Some(records.get(*key)?.record.clone().into()))
}

/// Milliseconds since 1970.
fn unix_ms(rfc3339: &str) -> Option<i64> {
    Some(rfc3339.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

fn delete(before: AnyRecord) -> Step {
    Step::Delete { key: before.key(), before }
}

/// Whether two specs differ in nothing that a running component would notice.
fn same_component(before: &Component, after: &Component) -> bool {
    let spread = Spread::default();
    let plain = |component: &Component| Component {
        generation: 0,
        spread: spread.clone(),
        rollout: Rollout::default(),
        ..component.clone()
    };
    plain(before) == plain(after)
}

/// Whether two specs differ in nothing that a running provider would notice.
fn same_provider(before: &Provider, after: &Provider) -> bool {
    let spread = Spread::default();
    let plain = |provider: &Provider| Provider {
        generation: 0,
        spread: spread.clone(),
        rollout: Rollout::default(),
        ..provider.clone()
    };
    plain(before) == plain(after)
}

#[cfg(test)]
mod tests;
