//! Exports: whether their targets serve what they offer, whom a change of one would break, and where links to those of
//! other teams lead.

use std::collections::BTreeSet;

use wicker_lattice::export::refusal;
use wicker_lattice::id::{DEFAULT_TEAM, ObjectId};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Export, Link, Scope};

use super::Batch;
use super::importers::{breaks, links_to};
use crate::compat::Mismatch;
use crate::diagnostic::{Problems, Spanned};
use crate::known::{wire_export, wire_import};
use crate::manifest::{self, Manifest};
use crate::suggest;

impl Batch<'_> {
    pub(super) fn exports(&self, manifest: &Manifest, problems: &mut Problems) -> Vec<Export> {
        let mut exports = Vec::with_capacity(manifest.exports.len());
        for declared in &manifest.exports {
            let Some(export) = self.export(manifest, declared, problems) else { continue };
            self.check_importers(manifest, declared, &export, problems);
            exports.push(export);
        }
        self.warn_of_closed(manifest, &exports, problems);
        exports
    }

    fn export(
        &self,
        manifest: &Manifest,
        declared: &manifest::Export,
        problems: &mut Problems,
    ) -> Option<Export> {
        let id = manifest.id(&declared.name.value)?;
        let target = manifest.id(&declared.target.value)?;
        let mut interfaces = BTreeSet::new();
        for pattern in &declared.interfaces {
            match self.offered(&target, &pattern.value) {
                Ok(scopes) => interfaces.extend(scopes),
                Err(help) => {
                    let message =
                        format!("`{}` does not export {}", declared.target.value, pattern.value);
                    problems.error(&manifest.source, pattern.span, message, help);
                }
            }
        }
        for (team, _) in declared.to.iter().filter(|(team, _)| team.value == manifest.team) {
            let message = format!("`{}` is this team", team.value);
            let help = "its own objects link to each other without an export";
            problems.warning(&manifest.source, team.span, message, help);
        }
        let to = declared.to.iter().map(|(team, terms)| (team.value.clone(), terms.clone()));
        Some(Export { id, target, interfaces: interfaces.into_iter().collect(), to: to.collect() })
    }

    /// What a pattern means of what `target` exports.
    fn offered(
        &self,
        target: &ObjectId,
        pattern: &crate::pattern::InterfacePattern,
    ) -> Result<Vec<Scope>, String> {
        let Some(world) = self.world(target) else {
            let scope = match pattern.interface() {
                Some(interface) => Some(Scope::Interface(interface)),
                None => pattern.package().map(Scope::Package),
            };
            let scope = scope.filter(|_| pattern.has_version());
            return scope.map(|scope| vec![scope]).ok_or_else(|| {
                "what it exports is not known before it runs: write the version".to_owned()
            });
        };
        let meant = world.exports.keys().filter(|name| pattern.matches(name));
        let scopes: Vec<Scope> = meant.map(|name| Scope::Interface(wire_export(name))).collect();
        if scopes.is_empty() {
            let names: Vec<String> = world.exports.keys().map(ToString::to_string).collect();
            return Err(format!("it exports {}", names.join(", ")));
        }
        Ok(scopes)
    }

    /// Notes whom this version of an export would break: importers that stay granted, and do not change with it.
    fn check_importers(
        &self,
        manifest: &Manifest,
        declared: &manifest::Export,
        export: &Export,
        problems: &mut Problems,
    ) {
        for link in self.importers(&export.id) {
            if export.to.contains_key(link.source.team()) {
                for mismatch in self.breaks(link, export) {
                    let message = format!(
                        "a new `{}` would break {}: it {mismatch}",
                        declared.name.value, link.source
                    );
                    let help = "keep what is imported beside the new one: under another version, or another export";
                    problems.error(&manifest.source, declared.name.span, message, help);
                }
            }
        }
    }

    /// Links of other applications to an export, as the lattice has them; those of manifests that are deployed with it are
    /// checked as they are written there.
    fn importers<'s>(&'s self, export: &'s ObjectId) -> impl Iterator<Item = &'s Link> {
        links_to(self.facts.inventory, export).filter(move |link| {
            let source = &link.source;
            let is_here = |manifest: &Manifest| {
                (manifest.team.as_str(), manifest.application.value.as_str())
                    == (source.team(), source.application())
            };
            !self.manifests.iter().any(is_here)
        })
    }

    fn breaks(&self, link: &Link, export: &Export) -> Vec<Mismatch> {
        let (Some(source), Some(target)) = (self.world(&link.source), self.world(&export.target))
        else {
            return Vec::new();
        };
        breaks(self.facts.inventory, link, source, (export, target))
    }

    /// Says whose links close with this deployment: a grant that is taken back is no error.
    fn warn_of_closed(&self, manifest: &Manifest, exports: &[Export], problems: &mut Problems) {
        let before = self.facts.inventory.exports.values().map(|stored| &stored.record);
        let ours = before.filter(|export| {
            (export.id.team(), export.id.application())
                == (manifest.team.as_str(), manifest.application.value.as_str())
        });
        for export in ours {
            let now = exports.iter().find(|each| each.id == export.id);
            for link in self.importers(&export.id) {
                let team = link.source.team();
                let was_open = export.to.contains_key(team);
                let Some(why) = refusal(team, &export.id, now, None).filter(|_| was_open) else {
                    continue;
                };
                let message = format!("{} can call it no more: {why}", link.source);
                let declared =
                    manifest.exports.iter().find(|each| each.name.value == export.id.name());
                let span = declared.map_or(manifest.application.span, |each| each.name.span);
                problems.warning(
                    &manifest.source,
                    span,
                    message,
                    "its link closes with this deployment",
                );
            }
        }
    }

    /// Whether links to `id` from another team need its export.
    pub(super) fn needs_export(&self, team: &str, id: &ObjectId) -> bool {
        let is_foreign = id.team() != team;
        is_foreign && !self.is_shared(id)
    }

    /// Whether `id` is a provider of no application, or will be.
    fn is_shared(&self, id: &ObjectId) -> bool {
        match self.facts.inventory.providers.get(&key::provider(id)) {
            Some(stored) => id.team() == DEFAULT_TEAM && stored.record.generation == 0,
            None => super::shared_provider(id, self.facts.builtins).is_some(),
        }
    }

    /// The export of that name: of these manifests, or of the lattice.
    pub(super) fn offer(&self, id: &ObjectId) -> Option<Export> {
        let of_this = |manifest: &&Manifest| {
            (manifest.team.as_str(), manifest.application.value.as_str())
                == (id.team(), id.application())
        };
        let Some(manifest) = self.manifests.iter().find(of_this) else {
            let stored = self.facts.inventory.exports.get(&key::export(id))?;
            return Some(stored.record.clone());
        };
        let declared = manifest.exports.iter().find(|each| each.name.value == id.name())?;
        // What is wrong with it is noted where it is declared.
        self.export(manifest, declared, &mut Problems::default())
    }

    /// The export `id`, which a link's target means. `None`: its team has no grant, which is noted.
    pub(super) fn granted_export(
        &self,
        manifest: &Manifest,
        target: &Spanned<String>,
        id: &ObjectId,
        problems: &mut Problems,
    ) -> Option<Export> {
        let export = self.offer(id);
        let Some(why) = refusal(&manifest.team, id, export.as_ref(), None) else { return export };
        let help = match &export {
            Some(_) => format!(
                "team `{}` grants it: add `{}` to `to` of `{}` in its manifest of `{}`",
                id.team(),
                manifest.team,
                id.name(),
                id.application()
            ),
            None => self.what_is_offered(&manifest.team, id),
        };
        problems.error(&manifest.source, target.span, why, help);
        None
    }

    /// Notes an import that the export does not cover.
    pub(super) fn check_offered(
        &self,
        manifest: &Manifest,
        (target, export): (&Spanned<String>, &Export),
        name: &InterfaceName,
        problems: &mut Problems,
    ) -> bool {
        let why = refusal(&manifest.team, &export.id, Some(export), Some(&wire_import(name)));
        let Some(why) = why else { return true };
        let offered: Vec<&str> = export.interfaces.iter().map(Scope::as_str).collect();
        let help = format!("it offers {}", offered.join(", "));
        problems.error(&manifest.source, target.span, why, help);
        false
    }

    /// The exports that `team` may link to.
    pub(super) fn granted(&self, team: &str) -> Vec<Export> {
        let here = self.manifests.iter().flat_map(|manifest| {
            manifest.exports.iter().filter_map(|each| manifest.id(&each.name.value))
        });
        let stored = self.facts.inventory.exports.values().map(|stored| stored.record.id.clone());
        let ids: BTreeSet<ObjectId> = here.chain(stored).filter(|id| id.team() != team).collect();
        let exports = ids.iter().filter_map(|id| self.offer(id));
        exports.filter(|export| export.to.contains_key(team)).collect()
    }

    fn what_is_offered(&self, team: &str, id: &ObjectId) -> String {
        let granted = self.granted(team);
        let names: Vec<&str> = granted.iter().map(|export| export.id.as_str()).collect();
        if names.is_empty() {
            return format!(
                "team `{}` grants it: `exports: {{{}: {{interfaces: [...], to: [{team}]}}}}` in its manifest of `{}`",
                id.team(),
                id.name(),
                id.application()
            );
        }
        match suggest::nearest(id.as_str(), names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("team `{team}` may link to {}", names.join(", ")),
        }
    }
}
