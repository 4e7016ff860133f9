//! Where in the lattice everything runs, as the status records say, and what is known to exist at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::Running;

use crate::table::Peer;

/// One snapshot.
#[derive(Debug, Default)]
pub struct Places {
    by_object: HashMap<ObjectId, Vec<Place>>,
    known: HashSet<ObjectId>,
}

/// One process that takes calls for an object.
#[derive(Debug, Clone)]
pub struct Place {
    /// The process.
    pub peer: Arc<Peer>,
    /// It was launched by this host, so it is on this machine.
    pub is_near: bool,
}

/// What [`Places::new`] reads.
#[derive(Debug)]
pub struct Sources<'a> {
    /// This host.
    pub own: ProcessId,
    /// Every status record of an object.
    pub running: &'a HashMap<String, Running>,
    /// Exclusive objects and the process that owns each.
    pub owners: &'a HashMap<ObjectId, Option<ProcessId>>,
    /// Every object that has a spec.
    pub specified: &'a HashSet<ObjectId>,
}

impl Places {
    /// Builds the snapshot. `peer` finds or makes the shared entry of a record's process.
    ///
    /// An exclusive object is called on the host that owns it only: another one that says it runs it holds other data.
    #[must_use]
    pub fn new(sources: &Sources<'_>, mut peer: impl FnMut(&Running) -> Arc<Peer>) -> Self {
        let mut places = Self { by_object: HashMap::new(), known: sources.specified.clone() };
        for running in sources.running.values() {
            places.known.insert(running.object.clone());
            if running.process == sources.own || !running.state.takes_calls() {
                continue;
            }
            let owner = sources.owners.get(&running.object).copied().flatten();
            let host = running.host.unwrap_or(running.process);
            if owner.is_some_and(|owner| owner != host && owner != running.process) {
                continue;
            }
            let is_near = running.host == Some(sources.own);
            let place = Place { peer: peer(running), is_near };
            places.by_object.entry(running.object.clone()).or_default().push(place);
        }
        places
    }

    /// The other processes that take calls for `id`.
    #[must_use]
    pub fn of(&self, id: &ObjectId) -> &[Place] {
        self.by_object.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether anything in the lattice speaks of `id`: it is specified, or runs, or tries to.
    #[must_use]
    pub fn is_known(&self, id: &ObjectId) -> bool {
        self.known.contains(id)
    }
}
