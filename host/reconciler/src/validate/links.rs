//! Links: which imports each covers, whom its target means, and whether the types agree; then the imports that no
//! link covers.

use std::collections::BTreeSet;

use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Export, Link, Scope, Share};
use wicker_lattice::types::Functions;

use super::{Batch, DesiredLink, one_or_several};
use crate::compat::mismatches;
use crate::diagnostic::{Problems, Spanned};
use crate::known::{default_provider, is_host_served};
use crate::manifest::{self, Manifest, Target};

/// Where one target of a link leads.
struct Led<'m> {
    name: &'m Spanned<String>,
    /// Who serves it.
    served: ObjectId,
    /// Through which export, if it belongs to another team.
    export: Option<Export>,
}

impl Batch<'_> {
    pub(super) fn links(&self, manifest: &Manifest, problems: &mut Problems) -> Vec<DesiredLink> {
        let mut links: Vec<DesiredLink> = Vec::new();
        for declared in &manifest.links {
            for link in self.link(manifest, declared, problems) {
                let is_taken = links.iter().any(|DesiredLink { link: other, .. }| {
                    (&other.source, &other.scope, &other.name)
                        == (&link.source, &link.scope, &link.name)
                });
                if is_taken {
                    let message =
                        format!("{} is linked twice for {}", link.scope.as_str(), link.source);
                    let help = "one link an import; give others a `name`";
                    problems.error(&manifest.source, declared.interface.span, message, help);
                    continue;
                }
                links.push(DesiredLink { link, is_default: false });
            }
        }
        for component in &manifest.components {
            self.cover_imports(manifest, component, &mut links, problems);
            self.check_shared_resources(manifest, component, &links, problems);
        }
        links
    }

    /// The records of one entry: one for each package or interface version that its source really imports.
    fn link(
        &self,
        manifest: &Manifest,
        link: &manifest::Link,
        problems: &mut Problems,
    ) -> Vec<Link> {
        let Some(source) = manifest.id(&link.source.value) else { return Vec::new() };
        let Some((shares, led)) = self.targets(manifest, (link, &source), problems) else {
            return Vec::new();
        };
        let mut is_refused = false;
        let scopes = match self.world(&source) {
            Some(world) => {
                let meant = world.imports.iter().filter(|(name, _)| {
                    link.interface.value.matches(name) && !is_host_served(name)
                });
                let imports: Vec<(&InterfaceName, &Functions)> = meant
                    .filter(|(name, _)| {
                        let exports =
                            led.iter().filter_map(|led| Some((led.name, led.export.as_ref()?)));
                        let refused = exports.filter(|(target, export)| {
                            !self.check_offered(manifest, (target, export), name, problems)
                        });
                        let is_offered = refused.count() == 0;
                        is_refused |= !is_offered;
                        is_offered
                    })
                    .collect();
                for Led { name, served, .. } in &led {
                    self.check_types(manifest, (link, &imports), (name, served), problems);
                }
                let scope = if link.interface.value.is_interface() {
                    interface_scope
                } else {
                    package_scope
                };
                imports.iter().map(|(name, _)| scope(name)).collect()
            }
            None => written_scope(link).into_iter().collect::<BTreeSet<_>>(),
        };
        if scopes.is_empty() && !is_refused {
            self.nothing_to_link(manifest, link, &source, problems);
        }
        let Some((target, split)) = one_or_several(shares) else { return Vec::new() };
        let record = |scope| Link {
            source: source.clone(),
            scope,
            name: link.name.clone(),
            target: target.clone(),
            split: split.clone(),
            secrets: super::names(&link.secrets),
            config: link.config.clone(),
            timeout_ms: link.timeout_ms,
            idempotent: link.idempotent.clone(),
        };
        scopes.into_iter().map(record).collect()
    }

    /// Where a link leads, and who serves it there. `None` where a target is a problem.
    fn targets<'a>(
        &self,
        manifest: &Manifest,
        (link, source): (&'a manifest::Link, &ObjectId),
        problems: &mut Problems,
    ) -> Option<(Vec<Share>, Vec<Led<'a>>)> {
        let mut shares = Vec::with_capacity(link.targets.len());
        let mut led = Vec::with_capacity(link.targets.len());
        for Target { name, weight } in &link.targets {
            let target = self.link_target(manifest, name, problems)?;
            let export = match self.needs_export(&manifest.team, &target) {
                true => Some(self.granted_export(manifest, name, &target, problems)?),
                false => None,
            };
            if *source == target {
                let message = format!("`{}` is linked to itself", link.source.value);
                problems.error(&manifest.source, name.span, message, "");
            }
            let served = export.as_ref().map_or(&target, |export| &export.target).clone();
            led.push(Led { name, served, export });
            shares.push(Share { target, weight: *weight });
        }
        Some((shares, led))
    }

    fn check_types(
        &self,
        manifest: &Manifest,
        (link, imports): (&manifest::Link, &[(&InterfaceName, &Functions)]),
        (name, target): (&Spanned<String>, &ObjectId),
        problems: &mut Problems,
    ) {
        let Some(world) = self.world(target) else { return };
        for mismatch in
            imports.iter().flat_map(|(name, functions)| mismatches(name, functions, world))
        {
            let message =
                format!("`{}` cannot serve `{}`: it {mismatch}", name.value, link.source.value);
            let offered: Vec<String> = world.exports.keys().map(ToString::to_string).collect();
            let help = format!("`{}` exports {}", name.value, offered.join(", "));
            problems.error(&manifest.source, name.span, message, help);
        }
    }

    fn nothing_to_link(
        &self,
        manifest: &Manifest,
        link: &manifest::Link,
        source: &ObjectId,
        problems: &mut Problems,
    ) {
        let (name, pattern) = (&link.source.value, &link.interface.value);
        let (message, help) = match self.world(source) {
            Some(world) => {
                let imports: BTreeSet<String> = world
                    .imports
                    .keys()
                    .filter(|name| !is_host_served(name))
                    .map(|name| name.key().package().to_string())
                    .collect();
                let imports: Vec<String> = imports.into_iter().collect();
                let help = match imports.as_slice() {
                    [] => "it imports nothing that a link could serve".to_owned(),
                    imports => format!("it imports {}", imports.join(", ")),
                };
                (format!("`{name}` does not import {pattern}"), help)
            }
            None => {
                let message = format!("what `{name}` imports is not known before it runs");
                (message, "write the version: namespace:package@version".to_owned())
            }
        };
        problems.error(&manifest.source, link.interface.span, message, help);
    }

    /// Gives imports that no link covers their default provider, or notes that nobody serves them.
    fn cover_imports(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        links: &mut Vec<DesiredLink>,
        problems: &mut Problems,
    ) {
        let Some(id) = manifest.id(&component.name.value) else { return };
        let Some(world) = self.world(&id) else { return };
        let mut missing: BTreeSet<String> = BTreeSet::new();
        let declared = |name: &InterfaceName| {
            // One that could not be made has its own problem noted.
            let mut links =
                manifest.links.iter().filter(|link| link.source.value == component.name.value);
            links.any(|link| link.interface.value.matches(name))
        };
        for name in world.imports.keys().filter(|name| !is_host_served(name)) {
            if covering(links, &id, name).is_some() || declared(name) {
                continue;
            }
            let builtin =
                default_provider(name).filter(|builtin| self.facts.builtins.contains_key(*builtin));
            match builtin.and_then(|builtin| ObjectId::bare(builtin).ok()) {
                Some(target) => links.push(default_link(&id, name, target)),
                None if self.is_linked_by_hand(&id, name) => {}
                None => drop(missing.insert(name.key().package().to_string())),
            }
        }
        for package in missing {
            let message =
                format!("`{}` imports {package} and no link serves it", component.name.value);
            let help = self.who_exports(manifest, &component.name.value, &package);
            problems.error(&manifest.source, component.name.span, message, help);
        }
    }

    /// Whether the lattice has a link for this import that no manifest declared.
    fn is_linked_by_hand(&self, source: &ObjectId, import: &InterfaceName) -> bool {
        [interface_scope(import), package_scope(import)].iter().any(|scope| {
            self.facts.inventory.links.contains_key(&key::link(source, scope, DEFAULT_LINK))
        })
    }

    fn who_exports(&self, manifest: &Manifest, source: &str, package: &str) -> String {
        let serves = |id: &ObjectId| {
            let exports = self.world(id).map(|world| world.exports.keys());
            exports
                .is_some_and(|mut names| names.any(|name| name.key().package().as_str() == package))
        };
        let known = self.known_objects();
        let mut own = known.into_iter().filter(|id| !self.needs_export(&manifest.team, id));
        let exporter = own.find(serves).or_else(|| {
            let granted = self.granted(&manifest.team).into_iter();
            granted.into_iter().find(|export| serves(&export.target)).map(|export| export.id)
        });
        let exporter = exporter.as_ref();
        let plain = package.split('@').next().unwrap_or(package);
        match exporter {
            Some(id) => {
                let is_own = manifest.id(id.name()).as_ref() == Some(id);
                let target = if is_own { id.name() } else { id.as_str() };
                format!("{id} exports it: add `links: {{{source}: {{{plain}: {target}}}}}`")
            }
            None => format!("add `links: {{{source}: {{{plain}: TARGET}}}}`"),
        }
    }
}

/// The link that covers an import: the narrower one wins.
pub(super) fn covering<'l>(
    links: &'l [DesiredLink],
    source: &ObjectId,
    import: &InterfaceName,
) -> Option<&'l Link> {
    let find = |scope: Scope| {
        let mut links = links.iter().map(|desired| &desired.link);
        links
            .find(|link| link.source == *source && link.name == DEFAULT_LINK && link.scope == scope)
    };
    find(interface_scope(import)).or_else(|| find(package_scope(import)))
}

/// What a link for this import is keyed by.
fn interface_scope(import: &InterfaceName) -> Scope {
    Scope::Interface(import.key())
}

/// What a link for this import's package is keyed by.
pub(super) fn package_scope(import: &InterfaceName) -> Scope {
    Scope::Package(import.key().package())
}

/// What the user wrote, where no world says what is imported: it needs its version then.
fn written_scope(link: &manifest::Link) -> Option<Scope> {
    let pattern = &link.interface.value;
    if !pattern.has_version() {
        return None;
    }
    match pattern.interface() {
        Some(interface) => Some(Scope::Interface(interface)),
        None => pattern.package().map(Scope::Package),
    }
}

fn default_link(source: &ObjectId, import: &InterfaceName, target: ObjectId) -> DesiredLink {
    let link = Link {
        source: source.clone(),
        scope: package_scope(import),
        name: DEFAULT_LINK.to_owned(),
        target,
        split: Vec::new(),
        secrets: Default::default(),
        config: Default::default(),
        timeout_ms: None,
        idempotent: Vec::new(),
    };
    DesiredLink { link, is_default: true }
}
