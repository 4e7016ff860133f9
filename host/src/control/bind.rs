//! The tables that requests read, made anew when a record changed: places, routes, and each component's links.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wicker_lattice::call::Invoke;
use wicker_lattice::event::EventKind;
use wicker_lattice::export::Lead;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::link::Binding;
use wicker_lattice::store::record::{Link, Types};
use wicker_lattice::store::{Entry, key};
use wicker_lattice::types::World;
use wicker_provider::LinkRecord;
use wicker_reconciler::compat::mismatches;

use super::task::Run;
use super::{Control, Handle, Input};
use crate::fence::Guard;
use crate::link::resolve::{self, Bound, Resolved};
use crate::link::{Closed, Linked};
use crate::state::Event;
use crate::table::Peer;

/// How long a world may take to be read; then the next change asks for it again.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

impl Control {
    pub(super) fn rebuild(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if changed.places {
            let (own, rpc) = (self.parts.member.process, self.parts.rpc.clone());
            let places =
                self.records.places(own, |process| Peer::new(process, rpc.remote(process)));
            self.parts.table.set_places(places);
        }
        if changed.places {
            self.parts.lease.set_ailing(self.records.ailing(self.parts.member.process));
        }
        if changed.exports && self.exports_are_known {
            self.parts.table.gate().set(&self.records.exports);
        }
        if changed.links || changed.places {
            self.read_worlds();
            self.rebind_all();
        }
        if changed.links || changed.secrets {
            self.tell_secrets();
        }
        if changed.routes {
            let routes = self.records.routes.values().map(|route| route.record.clone()).collect();
            self.parts.routes.send_replace(Arc::new(routes));
        }
        if changed.schedules {
            let schedules = self.records.schedules.values().cloned().collect();
            self.parts.schedules.send_replace(Arc::new(schedules));
        }
    }

    /// Gives every component here its links as they now are, and notes what still waits.
    fn rebind_all(&mut self) {
        let mut unproven = std::mem::take(&mut self.unproven);
        unproven.iter_mut().for_each(|(id, run)| self.bind(id, run));
        self.unproven = unproven;
        let ids: Vec<ObjectId> = self.running.keys().cloned().collect();
        for id in ids {
            if let Some(mut run) = self.running.remove(&id) {
                self.bind(&id, &mut run);
                let (attempt, faults, waiting) =
                    (run.attempt, run.faults.clone(), run.waiting.clone());
                let is_component = matches!(run.handle(), Handle::Component(_));
                self.running.insert(id.clone(), run);
                self.apply(Event::Waiting(id.clone(), waiting));
                if is_component {
                    let ailment = (!faults.is_empty()).then(|| faults.join("; "));
                    self.apply(Event::Health(id, attempt, ailment));
                }
            }
        }
    }

    /// Resolves one component's imports, and notes what they wait for.
    pub(super) fn bind(&self, id: &ObjectId, run: &mut Run) {
        let Handle::Component(actor) = &run.started.handle else { return };
        let (imports, links) = (actor.program().links(), self.records.links_of(id));
        let resolved = resolve::resolve(imports, &links, |link, to, interface| {
            self.bound(link, to, interface, run.started.guard.as_ref())
        });
        let bound = links.iter().map(|link| {
            let is_closed =
                link.record.targets().any(|to| self.records.lead(link, to).closed.is_some());
            (link.key.clone(), self.records.counting(link).revision, is_closed)
        });
        let bound: Vec<_> = bound.collect();
        run.waiting = self.waiting(id, &resolved);
        if run.closed != resolved.closed {
            self.tell_of_closed(id, &run.closed, &resolved.closed);
            run.closed.clone_from(&resolved.closed);
        }
        let faults = self.faults(actor.program().world(), &resolved.led);
        if run.faults != faults {
            self.tell_of_faults(id, &faults);
            run.faults = faults;
        }
        if run.bound != bound {
            run.bound = bound;
            actor.set_links(resolved.links);
        }
    }

    /// Imports whose targets offer something else, as far as is known: a side may have changed since the link was made.
    /// Calls of such a function fail by their type hash; this is for people.
    fn faults(&self, world: &World, led: &[(InterfaceName, ObjectId)]) -> Vec<String> {
        let mut faults = Vec::new();
        for (import, target) in led {
            let Some(functions) = world.imports.get(import) else { continue };
            let offered =
                self.records.types_of(target).filter_map(|types| self.records.world(types));
            let found = offered.flat_map(|offered| mismatches(import, functions, offered));
            faults.extend(found.map(|mismatch| format!("its target {target} {mismatch}")));
        }
        faults.sort();
        faults.dedup();
        faults
    }

    fn tell_of_faults(&self, id: &ObjectId, faults: &[String]) {
        if faults.is_empty() {
            tracing::info!("{id}: its links lead to what it imports again");
            return;
        }
        let message = format!("{id} cannot call through a link: {}", faults.join("; "));
        tracing::warn!("{message}");
        self.parts.member.tell(EventKind::LinkIncompatible, Some(id), message);
    }

    /// Reads the worlds of what components here are linked to, once each.
    pub(super) fn read_worlds(&mut self) {
        let targets: HashSet<ObjectId> = self
            .records
            .links
            .values()
            .filter(|link| self.running.contains_key(&link.record.source))
            .flat_map(|link| {
                let link = self.records.counting(link).link;
                link.targets().cloned().collect::<Vec<_>>()
            })
            .collect();
        let wanted: HashSet<String> =
            targets.iter().flat_map(|target| self.records.types_of(target)).cloned().collect();
        for types in wanted {
            if self.records.wants_world(&types) {
                self.read_world(types);
            }
        }
    }

    fn read_world(&self, types: String) {
        let (inputs, store) = (self.inputs.clone(), self.parts.member.store.clone());
        self.parts.member.tasks.spawn_work(async move {
            let read = timeout(READ_TIMEOUT, store.get::<Types>(&key::types(&types))).await;
            let world = match read {
                Ok(Ok(entry)) => entry.map(|entry| entry.record.world),
                Ok(Err(_)) | Err(_) => None,
            };
            let _ = inputs.send(Input::World(types, world)).await;
        });
    }

    /// What one import leads to through one target of `link`.
    fn bound(
        &self,
        link: &Entry<Link>,
        to: &ObjectId,
        interface: &InterfaceKey,
        guard: Option<&Guard>,
    ) -> Bound {
        let exports = &self.records.exports;
        let Lead { target, closed, .. } =
            exports.lead(link.record.source.team(), to, Some(interface));
        let LinkRecord { link, revision } = self.records.counting(link);
        let invoke: Arc<dyn Invoke> = match &closed {
            Some(why) => Arc::new(Closed::new(why)),
            None => {
                let router = Arc::clone(&self.parts.router);
                Arc::new(Linked::new(router, &link, guard.cloned()))
            }
        };
        let binding = Binding { target, link: resolve::link_ref(&link, revision), invoke };
        Bound { binding, closed }
    }

    fn waiting(&self, id: &ObjectId, resolved: &Resolved) -> Vec<String> {
        let missing = resolved.missing.iter().map(|import| {
            let package = import.package();
            format!("{import} has no link; make one: wicker link set {id} {package} TARGET")
        });
        let (places, locals) = (self.parts.table.places(), self.parts.table.locals());
        let absent = resolved.targets.iter().filter(|target| {
            places.of(target).is_empty()
                && !locals.contains_key(*target)
                && !self.running.contains_key(*target)
        });
        let why = |target: &ObjectId| match self.records.owner(target) {
            Some(owner) => {
                format!("{target} does not run: it is exclusive, and its host {owner} is not there")
            }
            None => format!("{target} does not run anywhere"),
        };
        missing.chain(absent.map(why)).chain(resolved.closed.iter().cloned()).collect()
    }
}
