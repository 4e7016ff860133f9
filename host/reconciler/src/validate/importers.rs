//! Whom a version of an export would break: other teams' links to it that stay granted.

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Export, Link, Provider, ProviderSource};
use wicker_lattice::types::World;

use super::Desired;
use crate::compat::{Mismatch, mismatches};
use crate::inventory::{Builtins, Inventory};
use crate::known::wire_import;

/// Other teams' links to an export, as the lattice has them.
pub(super) fn links_to<'a>(
    inventory: &'a Inventory,
    export: &'a ObjectId,
) -> impl Iterator<Item = &'a Link> {
    let links = inventory.links.values().map(|stored| &stored.record);
    links.filter(|link| link.leads_to(export) && link.source.team() != export.team())
}

/// What `source` imports through `link`, and `target` does not offer under `export`.
pub(super) fn breaks(
    inventory: &Inventory,
    link: &Link,
    source: &World,
    (export, target): (&Export, &World),
) -> Vec<Mismatch> {
    let covered = source.imports.iter().filter(|(name, _)| inventory.is_covered(name, link));
    let broken = covered.flat_map(|(name, functions)| {
        if export.offers(&wire_import(name)) {
            return mismatches(name, functions, target);
        }
        vec![Mismatch::NoInterface { import: name.clone() }]
    });
    broken.collect()
}

/// Whom it would break if an application became what `desired` says, one sentence each: for what is wanted without a
/// manifest, such as an earlier deployment.
#[must_use]
pub fn broken_importers(
    desired: &Desired,
    inventory: &Inventory,
    builtins: &Builtins,
) -> Vec<String> {
    let of_export = |export: &Export| {
        let Some(target) = world(desired, &export.target, inventory, builtins) else {
            return Vec::new();
        };
        let granted = links_to(inventory, &export.id)
            .filter(|link| export.to.contains_key(link.source.team()));
        let broken = granted.flat_map(|link| {
            let source = inventory.world(&link.source, builtins);
            let found = source.map(|source| breaks(inventory, link, source, (export, target)));
            let sentence =
                |mismatch| format!("{} would break {}: it {mismatch}", export.id, link.source);
            found.unwrap_or_default().into_iter().map(sentence)
        });
        broken.collect()
    };
    desired.exports.iter().flat_map(of_export).collect()
}

/// The world that an object would have.
fn world<'a>(
    desired: &Desired,
    id: &ObjectId,
    inventory: &'a Inventory,
    builtins: &'a Builtins,
) -> Option<&'a World> {
    if let Some(component) = desired.components.iter().find(|component| component.id == *id) {
        return inventory.worlds.get(&component.digest);
    }
    let Provider { source, .. } = desired.providers.iter().find(|provider| provider.id == *id)?;
    match source {
        ProviderSource::Builtin(name) | ProviderSource::BuiltinProcess(name) => {
            builtins.get(name).map(|builtin| &builtin.world)
        }
        ProviderSource::Command(_) | ProviderSource::External => inventory.world(id, builtins),
    }
}
