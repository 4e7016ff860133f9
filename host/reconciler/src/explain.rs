//! Where one object of the lattice should run by the records there are now, and why.

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{ProviderSource, Sharing};

use crate::inventory::Inventory;
use crate::placement::{Explanation, Neighbours as _, Question};

/// What the reconciler decides for an object, with its reasons. `None` for what it does not place: bare files, external
/// providers, and what is not there.
#[must_use]
pub fn explain(inventory: &Inventory, id: &ObjectId) -> Option<Explanation> {
    let (hosts, current) = (&inventory.hosts_with_load(), &inventory.hosts_of(id));
    let question = |spread| Question { id, spread, current, hosts, neighbours: inventory };
    if let Some(stored) = inventory.components.get(&key::component(id)) {
        let component = &stored.record;
        let spread = component.spread.scaled(current.len());
        return (!component.is_bare).then(|| question(&spread).explain_spread());
    }
    let provider = &inventory.providers.get(&key::provider(id))?.record;
    let question = question(&provider.spread);
    match (&provider.source, provider.sharing) {
        (ProviderSource::External, _) => None,
        (_, Sharing::Exclusive) => Some(question.explain_exclusive(provider.owner)),
        (_, Sharing::Replicable) => Some(question.explain_spread()),
    }
}

#[cfg(test)]
mod tests;
