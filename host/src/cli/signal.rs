//! By what an object is scaled, as `wicker status` and `wicker explain` show it.

use std::fmt;

use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_reconciler::inventory::Inventory;

/// What decides on how many hosts an object runs.
#[derive(Debug, Serialize)]
pub(super) struct Signal {
    /// Calls that run or wait on all hosts, as these said it last.
    calls: u32,
    /// Calls at once that one replica is meant for.
    concurrency: u32,
    /// The replicas that these calls would want.
    wants: u32,
    min: u32,
    max: u32,
}

impl Signal {
    /// Of a component that is scaled; `None` for others.
    pub(super) fn of(inventory: &Inventory, id: &ObjectId) -> Option<Self> {
        let spread = &inventory.components.get(&key::component(id))?.record.spread;
        let scaling = spread.scaling.as_ref()?;
        let calls: u32 = inventory.hosts.iter().filter_map(|host| host.busy.get(id)).sum();
        let (concurrency, max) = (scaling.concurrency.max(1), scaling.max);
        let min = spread.replicas.unwrap_or(1);
        Some(Self { calls, concurrency, wants: calls.div_ceil(concurrency), min, max })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, concurrency, wants, min, max } = self;
        write!(
            f,
            "{calls} calls run or wait, {concurrency} for each host: {wants}, of {min} to {max}"
        )
    }
}
