//! Whom a name in a manifest means: the target of a link, a neighbour of a placement.

use std::collections::BTreeSet;

use wicker_lattice::id::ObjectId;

use super::Batch;
use crate::diagnostic::{Problems, Spanned};
use crate::manifest::Manifest;
use crate::names::{self, Resolved};
use crate::suggest;

impl Batch<'_> {
    /// Whom `target` means: somebody in this file, a builtin, or somebody in the lattice. `until` says what happens as long
    /// as it is not there.
    pub(super) fn target(
        &self,
        manifest: &Manifest,
        target: &Spanned<String>,
        until: &str,
        problems: &mut Problems,
    ) -> Option<ObjectId> {
        let text = &target.value;
        if own_names(manifest).any(|name| name == text) {
            return manifest.id(text);
        }
        if self.facts.builtins.contains_key(text) {
            return ObjectId::bare(text).ok();
        }
        let others: Vec<ObjectId> = self.known_objects();
        let mut to_come = |id: ObjectId| {
            let message = format!("{id} is not in the lattice yet");
            problems.warning(&manifest.source, target.span, message, until);
            Some(id)
        };
        // What is near is meant before what belongs to another team.
        let near = others.iter().filter(|id| !self.needs_export(&manifest.team, id));
        let found = match names::resolve(text, near) {
            Resolved::Unknown(_) | Resolved::None => names::resolve(text, &others),
            found => found,
        };
        match found {
            Resolved::One(id) => Some(id),
            Resolved::Unknown(id) => to_come(id),
            Resolved::Several(ids) => {
                let ids: Vec<&str> = ids.iter().map(ObjectId::as_str).collect();
                let message = format!("`{text}` may mean several");
                problems.error(&manifest.source, target.span, message, ids.join(", "));
                None
            }
            Resolved::None => {
                let builtins = self.facts.builtins.keys().map(String::as_str);
                let known =
                    own_names(manifest).chain(builtins).chain(others.iter().map(ObjectId::name));
                let id = match suggest::nearest(text, known.clone()) {
                    Some(_) => None,
                    None => id_to_come(manifest, text),
                };
                if let Some(id) = id {
                    return to_come(id);
                }
                let message = format!("nothing is called `{text}`");
                let help = suggest::help(text, known);
                problems.error(&manifest.source, target.span, message, help);
                None
            }
        }
    }

    /// Whom a link leads to: an object of this team, one of everybody's, or the export of another team.
    pub(super) fn link_target(
        &self,
        manifest: &Manifest,
        target: &Spanned<String>,
        problems: &mut Problems,
    ) -> Option<ObjectId> {
        let written = target.value.parse::<ObjectId>().ok();
        match written.filter(|id| self.needs_export(&manifest.team, id)) {
            Some(export) => Some(export),
            None => self.target(manifest, target, "calls wait until it is deployed", problems),
        }
    }

    pub(super) fn known_objects(&self) -> Vec<ObjectId> {
        let mut ids: BTreeSet<ObjectId> = self.facts.inventory.objects().cloned().collect();
        for manifest in self.manifests {
            ids.extend(own_names(manifest).filter_map(|name| manifest.id(name)));
        }
        ids.into_iter().collect()
    }
}

fn own_names(manifest: &Manifest) -> impl Iterator<Item = &str> + Clone {
    let components = manifest.components.iter().map(|each| each.name.value.as_str());
    components.chain(manifest.providers.iter().map(|each| each.name.value.as_str()))
}

/// The id that a shortened name will have once it is deployed: of the same team, and `greeter` is `greeter/greeter`.
fn id_to_come(manifest: &Manifest, text: &str) -> Option<ObjectId> {
    let (application, name) = text.split_once('/').unwrap_or((text, text));
    ObjectId::new(&manifest.team, application, name).ok()
}
