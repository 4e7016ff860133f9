//! This host as a member of its lattice: who it is, and its connections. Every part of a host holds one.

use wicker_lattice::event::{Event, EventKind};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::nats::Nats;
use wicker_lattice::store::Store;
use wicker_lattice::subject;
use wicker_process::{Clock, Tasks};

/// Who this host is, and how it reaches the others. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Member {
    /// The lattice's name.
    pub lattice: String,
    /// This host, the same at every start.
    pub process: ProcessId,
    /// This start of it.
    pub incarnation: Incarnation,
    /// The connections.
    pub nats: Nats,
    /// The lattice's state.
    pub store: Store,
    /// The time of day.
    pub clock: Clock,
    /// Owns the host's tasks.
    pub tasks: Tasks,
}

impl Member {
    /// Tells whoever listens what happened. Nobody waits for it, and nothing is decided by it.
    pub fn tell(&self, kind: EventKind, object: Option<&ObjectId>, message: impl Into<String>) {
        let token = object.map_or_else(|| "_".to_owned(), ObjectId::to_token);
        let subject = subject::event(&self.lattice, &kind.to_string(), &token);
        let (at, process) = (self.clock.rfc3339(), self.process);
        let event = Event { at, kind, object: object.cloned(), process, message: message.into() };
        if let Ok(json) = serde_json::to_vec(&event) {
            self.nats.try_publish(&subject, json.into());
        }
    }
}
