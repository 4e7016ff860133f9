//! Which machines keep the lattice's state, where Wicker runs the NATS servers itself.

use serde::{Deserialize, Serialize};

use crate::id::ProcessId;

/// A machine, and where the NATS servers of other machines reach its own.
///
/// Also the status key `machine.<process>`: written by a host that runs a NATS server which others can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host.
    pub process: ProcessId,
    /// `host:port`.
    pub address: String,
}

/// Key `servers`: the three machines whose NATS servers keep the state together, or are about to. Written by the host of
/// the first one; `is_formed` only in the state that the three keep, once all that the first one kept is there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Servers {
    /// Tells this attempt from others.
    pub id: String,
    /// The machines.
    pub machines: Vec<Machine>,
    /// What their servers ask of clients until they have formed.
    pub password: String,
    /// They keep the state by now.
    pub is_formed: bool,
}

impl Servers {
    /// Whether `process` is one of them.
    #[must_use]
    pub fn lists(&self, process: ProcessId) -> bool {
        self.machines.iter().any(|machine| machine.process == process)
    }

    /// Where they are reached.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.machines.iter().map(|machine| machine.address.clone()).collect()
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Servers")
            .field("id", &self.id)
            .field("machines", &self.machines)
            .field("is_formed", &self.is_formed)
            .finish_non_exhaustive()
    }
}
