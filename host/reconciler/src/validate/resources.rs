//! Resources that several interfaces of one component share: whoever made one must be who is given it.

use std::collections::BTreeSet;

use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::store::record::Link;
use wicker_lattice::types::{Functions, Type};

use super::links::covering;
use super::{Batch, DesiredLink};
use crate::diagnostic::Problems;
use crate::manifest::{self, Manifest};

impl Batch<'_> {
    /// Notes interfaces that pass a resource between them and lead to different targets.
    pub(super) fn check_shared_resources(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        links: &[DesiredLink],
        problems: &mut Problems,
    ) {
        let Some(id) = manifest.id(&component.name.value) else { return };
        let Some(world) = self.world(&id) else { return };
        for (name, functions) in &world.imports {
            let Some(link) = covering(links, &id, name) else { continue };
            for owner in resource_owners(functions) {
                let mut imports = world.imports.keys().filter(|other| other.key() == owner);
                let other = imports.find_map(|other| covering(links, &id, other));
                let leads_elsewhere =
                    |other: &&Link| (&other.target, &other.split) != (&link.target, &link.split);
                if let Some(other) = other.filter(leads_elsewhere) {
                    let message = format!(
                        "{name} uses resources of {owner}, but leads to {} and that to {}",
                        link.target, other.target
                    );
                    let help = "link both to one target";
                    problems.error(&manifest.source, component.name.span, message, help);
                }
            }
        }
    }
}

/// The interfaces whose resources these functions take or give.
fn resource_owners(functions: &Functions) -> BTreeSet<InterfaceKey> {
    let mut owners = BTreeSet::new();
    let mut types: Vec<&Type> = Vec::new();
    for function in functions.values() {
        types.extend(function.params.iter().map(|(_, ty)| ty));
        types.extend(&function.result);
    }
    while let Some(ty) = types.pop() {
        match ty {
            Type::Own(owner, _) | Type::Borrow(owner, _) => drop(owners.insert(owner.clone())),
            Type::List(inner) | Type::Option(inner) => types.push(inner),
            Type::Record(fields) => types.extend(fields.iter().map(|(_, ty)| ty)),
            Type::Tuple(inner) => types.extend(inner),
            Type::Variant(cases) => types.extend(cases.iter().filter_map(|(_, ty)| ty.as_ref())),
            Type::Result { ok, err } => types.extend(ok.iter().chain(err).map(|ty| &**ty)),
            _ => {}
        }
    }
    owners
}
