//! The tables that requests read, made anew when a record changed: places, routes, and each component's links.

use std::sync::Arc;

use wicker_lattice::id::ObjectId;
use wicker_lattice::link::Binding;
use wicker_lattice::store::Entry;
use wicker_lattice::store::record::Link;

use super::task::Run;
use super::{Control, Handle};
use crate::link::Linked;
use crate::link::resolve::{self, Resolved};
use crate::state::Event;
use crate::table::Peer;

impl Control {
    pub(super) fn rebuild(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if changed.places {
            let (own, rpc) = (self.parts.member.process, self.parts.rpc.clone());
            let places =
                self.records.places(own, |process| Peer::new(process, rpc.remote(process)));
            self.parts.table.set_places(places);
        }
        if changed.links || changed.places {
            self.rebind_all();
        }
        if changed.routes {
            let routes = self.records.routes.values().map(|route| route.record.clone()).collect();
            self.parts.routes.send_replace(Arc::new(routes));
        }
    }

    /// Gives every component here its links as they now are, and notes what still waits.
    fn rebind_all(&mut self) {
        let ids: Vec<ObjectId> = self.running.keys().cloned().collect();
        for id in ids {
            if let Some(mut run) = self.running.remove(&id) {
                let waiting = self.bind(&id, &mut run);
                self.running.insert(id.clone(), run);
                self.apply(Event::Waiting(id, waiting));
            }
        }
    }

    /// Resolves one component's imports; returns what they wait for.
    pub(super) fn bind(&self, id: &ObjectId, run: &mut Run) -> Vec<String> {
        let Handle::Component(actor) = &run.handle else { return Vec::new() };
        let (imports, links) = (actor.program().links(), self.records.links_of(id));
        let resolved = resolve::resolve(imports, &links, |link| self.binding(link));
        let bound: Vec<_> = links.iter().map(|link| (link.key.clone(), link.revision)).collect();
        let waiting = self.waiting(id, &resolved);
        if run.bound != bound {
            run.bound = bound;
            actor.set_links(Arc::new(resolved.links));
        }
        waiting
    }

    fn binding(&self, link: &Entry<Link>) -> Binding {
        let router = Arc::clone(&self.parts.router);
        Binding {
            target: link.record.target.clone(),
            link: resolve::link_ref(link),
            invoke: Arc::new(Linked::new(router, &link.record)),
        }
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
        missing.chain(absent.map(why)).collect()
    }
}
