//! Whether manifests fit their components, each other and the lattice; and the records that follow from them.
//!
//! [`validate`] takes several manifests at once, so that applications that link to each other can be deployed in one
//! go. It reports every problem it finds; only manifests without any become [`Desired`].

mod exports;
mod hosts;
mod importers;
mod links;
mod objects;
mod ready;
mod resources;
mod schedules;
mod secrets;
mod target;

use std::collections::BTreeMap;

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{
    Component, Export, Link, Provider, Restored, Route, Schedule, Share,
};
use wicker_lattice::types::World;

use crate::diagnostic::{Problems, Spanned};
use crate::inventory::{Builtins, Inventory};
use crate::known::is_http_export;
use crate::manifest::{Manifest, Target};
use crate::{manifest, route};

pub use importers::broken_importers;
pub use objects::shared_provider;

/// A component's file, as whoever read it found it.
#[derive(Debug, Clone)]
pub struct Image {
    /// `sha256:<hex>`.
    pub digest: String,
    /// What it needs and offers.
    pub world: World,
}

/// What [`validate`] knows besides the manifests.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The file of each component of the manifests, or why it cannot be read.
    pub images: &'a BTreeMap<ObjectId, Result<Image, String>>,
    /// The provider implementations of this `wicker`.
    pub builtins: &'a Builtins,
    /// The lattice.
    pub inventory: &'a Inventory,
}

/// What one manifest wants the lattice's records to say. Generations are the planner's: they are 0 here.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Who owns it.
    pub team: String,
    /// Its name.
    pub application: String,
    /// For people.
    pub version: Option<String>,
    /// The file's text.
    pub manifest: String,
    /// What should run.
    pub components: Vec<Component>,
    /// What should run beside it.
    pub providers: Vec<Provider>,
    /// Who serves whose imports.
    pub links: Vec<DesiredLink>,
    /// Which requests go where.
    pub routes: Vec<Route>,
    /// What other teams may link to.
    pub exports: Vec<Export>,
    /// When components are called.
    pub schedules: Vec<Schedule>,
    /// Providers that several applications share: made where they are missing, never changed or removed.
    pub shared: Vec<Provider>,
    /// RFC 3339 time of the deployment; whoever writes it says so.
    pub at: Option<String>,
    /// Whether this is an earlier deployment again, and why.
    pub restores: Option<Restored>,
}

/// A link that an application wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredLink {
    /// The record.
    pub link: Link,
    /// The manifest says nothing about this import: one that is there already stays as it is.
    pub is_default: bool,
}

/// Checks manifests against each other and `facts`, and says what they want. Warnings come with the result.
///
/// # Errors
/// All problems of all manifests, by file and line.
pub fn validate(
    manifests: &[Manifest],
    facts: Facts<'_>,
) -> Result<(Vec<Desired>, Problems), Problems> {
    let mut problems = Problems::default();
    let batch = Batch { manifests, facts };
    batch.check_applications(&mut problems);
    manifests.iter().for_each(|manifest| problems.extend(manifest.warnings.clone()));
    let desired = manifests.iter().map(|manifest| batch.desired(manifest, &mut problems)).collect();
    let problems = problems.sorted();
    if problems.has_errors() { Err(problems) } else { Ok((desired, problems)) }
}

/// The manifests that are validated together, and what is known besides.
struct Batch<'a> {
    manifests: &'a [Manifest],
    facts: Facts<'a>,
}

impl Batch<'_> {
    fn check_applications(&self, problems: &mut Problems) {
        for (index, manifest) in self.manifests.iter().enumerate() {
            let mut before = self.manifests.iter().take(index);
            if let Some(first) = before.find(|each| each.claimant() == manifest.claimant()) {
                let message = format!("{} is declared twice", manifest.claimant());
                let help = format!("also in {}", first.source.file());
                problems.error(&manifest.source, manifest.application.span, message, help);
            }
        }
    }

    fn desired(&self, manifest: &Manifest, problems: &mut Problems) -> Desired {
        let components = self.components(manifest, problems);
        let providers = self.providers(manifest, problems);
        let links = self.links(manifest, problems);
        let routes = self.routes(manifest, problems);
        let exports = self.exports(manifest, problems);
        let schedules = self.schedules(manifest, problems);
        self.check_secrets(manifest, problems);
        Desired {
            team: manifest.team.clone(),
            application: manifest.application.value.clone(),
            version: manifest.version.clone(),
            manifest: manifest.source.whole_text(),
            shared: self.shared(&links),
            at: None,
            restores: None,
            components,
            providers,
            links,
            routes,
            exports,
            schedules,
        }
    }

    fn routes(&self, manifest: &Manifest, problems: &mut Problems) -> Vec<Route> {
        manifest.routes.iter().filter_map(|route| self.route(manifest, route, problems)).collect()
    }

    fn route(
        &self,
        manifest: &Manifest,
        route: &manifest::Route,
        problems: &mut Problems,
    ) -> Option<Route> {
        let name = route::print(route.host.as_deref(), &route.path);
        if let Some(owner) = self.route_owner(manifest, route) {
            let message = format!("the route {name} is taken by {owner}");
            problems.error(&manifest.source, route.span, message, "choose another host or path");
        }
        let mut split = Vec::with_capacity(route.targets.len());
        for Target { name: target, weight } in &route.targets {
            let id = manifest.id(&target.value)?;
            if let Some(world) = self.world(&id)
                && !world.exports.keys().any(is_http_export)
            {
                let message = format!(
                    "`{}` cannot answer {name}: it does not export wasi:http",
                    target.value
                );
                problems.error(&manifest.source, target.span, message, "");
            }
            split.push(Share { target: id, weight: *weight });
        }
        let (target, split) = one_or_several(split)?;
        Some(Route {
            host: route.host.clone(),
            path: route.path.clone(),
            target,
            split,
            claimed_by: manifest.claimant(),
            only_on: None,
        })
    }

    /// Who else has this route: another application of the lattice, or another of these manifests.
    fn route_owner(&self, manifest: &Manifest, route: &manifest::Route) -> Option<String> {
        let claimant = manifest.claimant();
        let key = key::route(route.host.as_deref(), &route.path, None);
        let stored = self.facts.inventory.routes.get(&key).map(|stored| &stored.record.claimed_by);
        if let Some(owner) = stored.filter(|owner| **owner != claimant) {
            return Some(owner.clone());
        }
        let mut others = self.manifests.iter().filter(|other| other.claimant() != claimant);
        let other = others.find(|other| {
            other.routes.iter().any(|each| each.host == route.host && each.path == route.path)
        })?;
        Some(format!("{} in {}", other.claimant(), other.source.file()))
    }
}

/// Names without their places.
fn names(named: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
    named.iter().map(|(key, name)| (key.clone(), name.value.clone())).collect()
}

/// What a record says of its targets: one that stands for all, and the shares, where there are several.
fn one_or_several(mut shares: Vec<Share>) -> Option<(ObjectId, Vec<Share>)> {
    let target = Share::greatest(&shares)?.clone();
    if shares.len() == 1 {
        shares.clear();
    }
    Some((target, shares))
}

#[cfg(test)]
mod export_tests;
#[cfg(test)]
pub(crate) mod tests;
