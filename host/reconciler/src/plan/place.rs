//! Which hosts run what: by labels, spread over hosts, and staying where it is.

use std::collections::BTreeMap;

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Host, Provider, Spread};

use crate::inventory::Inventory;
use crate::validate::carries;

/// Chooses hosts, counting what it has put where.
pub(super) struct Placer<'a> {
    inventory: &'a Inventory,
    /// How many objects each host has or is about to get.
    load: BTreeMap<ProcessId, usize>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let mut load = BTreeMap::new();
        for stored in inventory.placements.values() {
            *load.entry(stored.record.host).or_default() += 1;
        }
        Self { inventory, load }
    }

    /// The hosts for something that may run on several.
    ///
    /// What runs already stays; new replicas go to the hosts with the least on them; one host never gets two.
    pub(super) fn spread(
        &mut self,
        id: &ObjectId,
        spread: &Spread,
        notes: &mut Vec<String>,
    ) -> Vec<ProcessId> {
        let eligible = self.eligible(spread);
        let Some(replicas) = spread.replicas else {
            let everywhere: Vec<ProcessId> = eligible.iter().map(|host| host.process).collect();
            if everywhere.is_empty() {
                notes.push(format!("{id} runs nowhere: no host {}", matching(spread, "matches")));
            }
            return self.take(id, everywhere);
        };
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        if eligible.len() < wanted {
            let found = eligible.len();
            notes.push(format!("{id} wants {wanted} hosts, {found} {}", matching(spread, "match")));
        }
        let chosen = self.choose(id, eligible, wanted);
        self.take(id, chosen)
    }

    /// The one host for something whose state is in it: its owner, whatever else has changed.
    pub(super) fn exclusive(
        &mut self,
        provider: &Provider,
        notes: &mut Vec<String>,
    ) -> Option<ProcessId> {
        let id = &provider.id;
        if let Some(owner) = provider.owner {
            match self.inventory.host(owner) {
                None => notes.push(format!(
                    "{id} keeps its data on host {owner}, which is away; calls wait for it"
                )),
                Some(host) if !carries(&host.labels, &provider.spread) => {
                    notes.push(format!("{id} stays on {}: its data is there", host.name));
                }
                Some(_) => {}
            }
            return self.take(id, vec![owner]).pop();
        }
        let eligible = self.eligible(&provider.spread);
        if eligible.is_empty() {
            notes.push(format!(
                "{id} runs nowhere: no host {}",
                matching(&provider.spread, "matches")
            ));
        }
        let chosen = self.choose(id, eligible, 1);
        self.take(id, chosen).pop()
    }

    fn eligible(&self, spread: &Spread) -> Vec<&'a Host> {
        let hosts = self.inventory.hosts.iter();
        hosts.filter(|host| !host.is_draining && carries(&host.labels, spread)).collect()
    }

    fn choose(&self, id: &ObjectId, mut eligible: Vec<&Host>, wanted: usize) -> Vec<ProcessId> {
        let current: Vec<ProcessId> =
            self.inventory.placements_of(id).map(|(_, stored)| stored.record.host).collect();
        eligible.sort_by_cached_key(|host| {
            let is_new = !current.contains(&host.process);
            (
                is_new,
                self.load.get(&host.process).copied().unwrap_or_default(),
                rank(id, host.process),
            )
        });
        eligible.iter().take(wanted).map(|host| host.process).collect()
    }

    /// Counts `chosen` and gives it back in a stable order.
    fn take(&mut self, id: &ObjectId, mut chosen: Vec<ProcessId>) -> Vec<ProcessId> {
        for host in &chosen {
            let mut current = self.inventory.placements_of(id);
            if !current.any(|(_, stored)| stored.record.host == *host) {
                *self.load.entry(*host).or_default() += 1;
            }
        }
        chosen.sort_unstable();
        chosen
    }
}

fn matching(spread: &Spread, verb: &str) -> String {
    if spread.labels.is_empty() {
        return verb.to_owned();
    }
    let labels: Vec<String> =
        spread.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{verb} {{{}}}", labels.join(", "))
}

/// Decides between equals, differently for each object: FNV-1a over both names.
fn rank(id: &ObjectId, host: ProcessId) -> u64 {
    let bytes = id.as_str().bytes().chain(host.to_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
