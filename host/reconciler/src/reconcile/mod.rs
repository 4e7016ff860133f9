//! Keeps what runs as the records say it should, whatever happens to hosts: pure and level-triggered.
//!
//! Fed with every record that matters and with the hosts that live, it says which placements to write. It looks again only
//! at what a change touched, so its cost grows with what changes. Everything that it writes is checked by revision: two of
//! it at once do no harm.
//!
//! A new version goes from host to host; one that cannot be started stops there, and its application goes back to the
//! last deployment that was ready.

mod object;
mod progress;
mod scale;

use std::collections::{BTreeMap, BTreeSet};

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{
    Application, Component, Host, Placement, Progress, Provider, Running,
};

use crate::inventory::Stored;
use crate::placement::{Hosts, Neighbours};
use crate::plan::{AnyRecord, Step};
use object::Object;
pub use object::Spec;
use progress::Deployed;

/// What the reconciler wants done.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most actions are writes")]
pub enum Action {
    /// Write one record.
    Write(Step),
    /// Write how far a deployment is. `since` is the writer's to fill in.
    Tell(Progress),
    /// Make an application what it was at an earlier deployment.
    GoBack {
        /// Whose it is.
        team: String,
        /// Its name.
        name: String,
        /// The deployment that failed, or is half-way back already.
        from: u64,
        /// The deployment to go back to.
        to: u64,
        /// Why, for people.
        reason: String,
    },
}

/// Everything that the reconciler knows.
#[derive(Debug, Default)]
pub struct Reconciler {
    hosts: Hosts,
    objects: Objects,
    applications: BTreeMap<(String, String), Deployed>,
    /// Objects that a new host may change.
    growing: BTreeSet<ObjectId>,
    /// Objects that are scaled by what they have to do.
    scaled: BTreeSet<ObjectId>,
    dirty: BTreeSet<ObjectId>,
    dirty_applications: BTreeSet<(String, String)>,
}

#[derive(Debug, Default)]
struct Objects {
    all: BTreeMap<ObjectId, Object>,
    /// By the host they are placed on.
    on: BTreeMap<ProcessId, BTreeSet<ObjectId>>,
    /// By an object that they should be near to or apart from.
    neighbours: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
}

impl Neighbours for Objects {
    fn hosts_of(&self, object: &ObjectId) -> BTreeSet<ProcessId> {
        self.all.get(object).map(|object| object.hosts()).unwrap_or_default()
    }
}

impl Reconciler {
    /// A host lives, or says something new about itself.
    pub fn host(&mut self, host: Host) {
        let process = host.process;
        let placed = self.objects.on.get(&process).map_or(0, BTreeSet::len);
        let (labels, is_draining) = (host.labels.clone(), host.is_draining);
        let before = self.hosts.put(host, placed);
        let is_same = before
            .is_some_and(|before| before.labels == labels && before.is_draining == is_draining);
        if !is_same {
            self.dirty.extend(self.growing.iter().cloned());
            self.touch_host(process);
        }
    }

    /// A host's lease is over, or was given up.
    pub fn host_gone(&mut self, process: ProcessId) {
        if self.hosts.remove(process) {
            self.touch_host(process);
        }
    }

    /// A component's spec, or `None` where it was deleted.
    pub fn component(&mut self, id: &ObjectId, component: Option<Stored<Component>>) {
        match component {
            Some(component) => self.specify(id, Some(Spec::Component(component))),
            None => self.forget(id, |spec| matches!(spec, Spec::Component(_))),
        }
    }

    /// A provider's spec, or `None` where it was deleted.
    pub fn provider(&mut self, id: &ObjectId, provider: Option<Stored<Provider>>) {
        match provider {
            Some(provider) => self.specify(id, Some(Spec::Provider(provider))),
            None => self.forget(id, |spec| matches!(spec, Spec::Provider(_))),
        }
    }

    /// An application, or `None` where it was deleted.
    pub fn application(
        &mut self,
        team: &str,
        name: &str,
        application: Option<Stored<Application>>,
    ) {
        let key = (team.to_owned(), name.to_owned());
        let objects = match application {
            Some(application) => {
                let deployed = self.applications.entry(key.clone()).or_default();
                deployed.record = Some(application.record);
                deployed.objects()
            }
            None => match self.applications.remove(&key) {
                Some(deployed) => deployed.objects(),
                None => return,
            },
        };
        self.dirty.extend(objects);
        self.dirty_applications.insert(key);
    }

    /// How far a deployment is, as this reconciler or an earlier one wrote it.
    pub fn progress(&mut self, progress: Progress) {
        let key = (progress.team.clone(), progress.name.clone());
        let deployed = self.applications.entry(key.clone()).or_default();
        deployed.told = Some(progress);
        self.dirty_applications.insert(key);
    }

    /// A placement, or `None` where it was deleted.
    pub fn placement(
        &mut self,
        object: &ObjectId,
        host: ProcessId,
        placement: Option<Stored<Placement>>,
    ) {
        let on = self.objects.on.entry(host).or_default();
        let known = self.objects.all.entry(object.clone()).or_default();
        if known.placements.get(&host) == placement.as_ref() {
            return;
        }
        match placement {
            Some(placement) => {
                if on.insert(object.clone()) {
                    self.hosts.count(host, 1);
                }
                known.placements.insert(host, placement);
            }
            None => {
                if on.remove(object) {
                    self.hosts.count(host, -1);
                }
                known.placements.remove(&host);
            }
        }
        self.touch(object);
        self.touch_neighbours(object);
    }

    /// What a process says about an object that it runs, or `None` where it says nothing any more.
    pub fn running(&mut self, object: &ObjectId, process: ProcessId, running: Option<Running>) {
        let known = self.objects.all.entry(object.clone()).or_default();
        if known.hear(process, running) {
            self.touch(object);
        }
    }

    /// Looks how busy what is scaled is: once a second, as hosts say it.
    pub fn measure(&mut self) {
        let mut changed = Vec::new();
        for id in &self.scaled {
            let object = self.objects.all.get_mut(id);
            if object.is_some_and(|object| object.measure(&self.hosts, id)) {
                changed.push(id.clone());
            }
        }
        changed.iter().for_each(|id| self.touch(id));
    }

    /// What to do now, in order. Nothing where everything is as it should be. Asked again before the answer was written,
    /// it may repeat itself.
    pub fn act(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            self.act_on(&id, &mut actions);
        }
        for key in std::mem::take(&mut self.dirty_applications) {
            if let Some(deployed) = self.applications.get(&key) {
                actions.extend(deployed.act(&self.objects, &self.hosts));
            }
        }
        actions
    }

    /// Looks at everything again: now and then, in case something was missed.
    pub fn touch_all(&mut self) {
        self.dirty.extend(self.objects.all.keys().cloned());
        self.dirty_applications.extend(self.applications.keys().cloned());
        self.applications.values_mut().for_each(|each| each.look_again(&self.objects));
    }

    fn act_on(&mut self, id: &ObjectId, actions: &mut Vec<Action>) {
        let Some(object) = self.objects.all.get(id) else { return };
        if object.is_forgotten() {
            self.objects.all.remove(id);
            self.growing.remove(id);
            return;
        }
        if self.is_paused(id) {
            return;
        }
        let decision = object.decide(id, &self.hosts, &self.objects);
        if decision.may_grow {
            self.growing.insert(id.clone())
        } else {
            self.growing.remove(id)
        };
        // Those that choose hosts later in this round count these in.
        decision.steps.iter().for_each(|step| self.count_ahead(step));
        actions.extend(decision.steps.into_iter().map(Action::Write));
    }

    /// Counts a placement that is about to be written; seen again when it is, it counts no more.
    fn count_ahead(&mut self, step: &Step) {
        match step {
            Step::Ensure(AnyRecord::Placement(placement)) => {
                let on = self.objects.on.entry(placement.host).or_default();
                if on.insert(placement.object.clone()) {
                    self.hosts.count(placement.host, 1);
                }
            }
            Step::Delete { before: AnyRecord::Placement(placement), .. } => {
                let on = self.objects.on.entry(placement.host).or_default();
                if on.remove(&placement.object) {
                    self.hosts.count(placement.host, -1);
                }
            }
            _ => {}
        }
    }

    /// A spec that is gone; not, where the other kind of object has taken its name already.
    fn forget(&mut self, id: &ObjectId, is_kind: fn(&Spec) -> bool) {
        let spec = self.objects.all.get(id).and_then(|known| known.spec.as_ref());
        if spec.is_none_or(is_kind) {
            self.specify(id, None);
        }
    }

    fn specify(&mut self, id: &ObjectId, spec: Option<Spec>) {
        let known = self.objects.all.entry(id.clone()).or_default();
        for neighbour in known.affinities() {
            if let Some(set) = self.objects.neighbours.get_mut(&neighbour) {
                set.remove(id);
            }
        }
        known.spec = spec;
        if known.is_scaled() {
            self.scaled.insert(id.clone());
        } else {
            self.scaled.remove(id);
        }
        for neighbour in known.affinities() {
            self.objects.neighbours.entry(neighbour).or_default().insert(id.clone());
        }
        self.touch(id);
    }

    fn is_paused(&self, id: &ObjectId) -> bool {
        let key = (id.team().to_owned(), id.application().to_owned());
        let record = self.applications.get(&key).and_then(|deployed| deployed.record.as_ref());
        record.is_some_and(|application| application.is_paused)
    }

    fn touch(&mut self, id: &ObjectId) {
        self.dirty.insert(id.clone());
        let key = (id.team().to_owned(), id.application().to_owned());
        if self.applications.contains_key(&key) {
            self.dirty_applications.insert(key);
        }
    }

    fn touch_neighbours(&mut self, id: &ObjectId) {
        if let Some(neighbours) = self.objects.neighbours.get(id) {
            self.dirty.extend(neighbours.iter().cloned());
        }
    }

    fn touch_host(&mut self, process: ProcessId) {
        let there = self.objects.on.get(&process).cloned().unwrap_or_default();
        there.iter().for_each(|id| self.touch(id));
    }
}

#[cfg(test)]
mod tests;
