//! Which machines keep the lattice's state, where Wicker runs the NATS servers itself.

use std::collections::BTreeSet;

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
    /// Machines that were of the three and are no more, because others took their places.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<ProcessId>,
}

impl Servers {
    /// Whether `process` is one of them.
    #[must_use]
    pub fn lists(&self, process: ProcessId) -> bool {
        self.machines.iter().any(|machine| machine.process == process)
    }

    /// The same three, but for `lost`, whose place `next` takes. `None`: `lost` is none of them, or `next` is.
    #[must_use]
    pub fn replaced(&self, lost: ProcessId, next: Machine) -> Option<Self> {
        if self.lists(next.process) {
            return None;
        }
        let mut replaced = self.clone();
        let place = replaced.machines.iter_mut().find(|machine| machine.process == lost)?;
        replaced.removed.remove(&next.process);
        *place = next;
        replaced.removed.insert(lost);
        Some(replaced)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(number: u8) -> Machine {
        let process = ProcessId::from_bytes([number; 16]);
        Machine { process, address: format!("10.0.0.{number}:7422") }
    }

    #[test]
    fn machine_takes_the_place_of_a_lost_one_and_may_give_it_back() {
        let servers = Servers {
            id: "a".to_owned(),
            machines: vec![machine(1), machine(2), machine(3)],
            password: String::new(),
            is_formed: true,
            removed: BTreeSet::new(),
        };
        let lost = machine(2).process;
        let replaced = servers.replaced(lost, machine(4)).unwrap();
        assert_eq!(replaced.machines, [machine(1), machine(4), machine(3)]);
        assert_eq!(replaced.removed, BTreeSet::from([lost]));
        assert!(replaced.replaced(lost, machine(5)).is_none(), "it is none of them any more");
        assert!(servers.replaced(lost, machine(3)).is_none(), "it is one of them already");
        let back = replaced.replaced(machine(4).process, machine(2)).unwrap();
        assert_eq!(back.machines, servers.machines);
        assert_eq!(back.removed, BTreeSet::from([machine(4).process]));
    }
}
