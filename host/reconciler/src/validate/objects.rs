//! Components and providers: their files, implementations and hosts; and what is known of the worlds of all of them.

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Component, Provider, ProviderSource, Sharing, Spread};
use wicker_lattice::types::World;

use super::{Batch, DesiredLink, Image, names};
use crate::diagnostic::{Problems, Spanned};
use crate::manifest::{self, Manifest, Placement};
use crate::suggest;

impl Batch<'_> {
    pub(super) fn components(
        &self,
        manifest: &Manifest,
        problems: &mut Problems,
    ) -> Vec<Component> {
        let each = |component| self.component(manifest, component, problems);
        manifest.components.iter().filter_map(each).collect()
    }

    fn component(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        problems: &mut Problems,
    ) -> Option<Component> {
        let id = manifest.id(&component.name.value)?;
        self.check_not_bare(manifest, component, &id, problems);
        let spread = self.spread(manifest, &id, &component.placement, problems);
        if component.is_singleton {
            self.check_alone(manifest, &component.name, &component.placement, problems);
        }
        let ready = self.ready(manifest, component, problems);
        let image = self.image(manifest, component, &id, problems)?;
        Some(Component {
            id,
            digest: image.digest.clone(),
            generation: 0,
            is_bare: false,
            limits: component.limits.clone(),
            grants: component.grants.clone(),
            warm: component.warm,
            idle_ms: component.idle_ms,
            secrets: names(&component.secrets),
            config: component.config.clone(),
            spread,
            rollout: component.rollout.clone(),
            is_singleton: component.is_singleton,
            ready,
        })
    }

    fn image(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        id: &ObjectId,
        problems: &mut Problems,
    ) -> Option<&Image> {
        let image = match self.facts.images.get(id)? {
            Ok(image) => image,
            Err(reason) => {
                let message = format!("cannot use {}: {reason}", component.image.value);
                problems.error(&manifest.source, component.image.span, message, "");
                return None;
            }
        };
        if let Some(pinned) =
            component.digest.as_ref().filter(|pinned| pinned.value != image.digest)
        {
            let message = format!("{} is not the file that `digest` pins", component.image.value);
            let help = format!("the file is {}", image.digest);
            problems.error(&manifest.source, pinned.span, message, help);
        }
        Some(image)
    }

    fn check_not_bare(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        id: &ObjectId,
        problems: &mut Problems,
    ) {
        let stored = self.facts.inventory.components.get(&key::component(id));
        if stored.is_some_and(|stored| stored.record.is_bare) {
            let message = format!("{id} already runs from a file on a host's command line");
            let help = "stop that host, or give the application another name";
            problems.error(&manifest.source, component.name.span, message, help);
        }
    }

    pub(super) fn providers(&self, manifest: &Manifest, problems: &mut Problems) -> Vec<Provider> {
        let each = |provider| self.provider(manifest, provider, problems);
        manifest.providers.iter().filter_map(each).collect()
    }

    fn provider(
        &self,
        manifest: &Manifest,
        provider: &manifest::Provider,
        problems: &mut Problems,
    ) -> Option<Provider> {
        let sharing = self.sharing(manifest, provider, problems)?;
        let id = manifest.id(&provider.name.value)?;
        let spread = self.spread(manifest, &id, &provider.placement, problems);
        if spread.scaling.is_some() {
            let message =
                format!("`{}` is a provider: only components are scaled", provider.name.value);
            let help = "write a number, or `every`";
            problems.error(&manifest.source, provider.placement.span, message, help);
        }
        if sharing == Sharing::Exclusive && spread.replicas != Some(1) {
            let message =
                format!("`{}` is exclusive: its state is in one process", provider.name.value);
            let help = "leave `replicas` out";
            problems.error(&manifest.source, provider.placement.span, message, help);
        }
        if provider.is_singleton {
            self.check_alone(manifest, &provider.name, &provider.placement, problems);
            self.check_fenced(manifest, provider, sharing, problems);
        }
        Some(Provider {
            id,
            source: provider.source.value.clone(),
            generation: 0,
            config: provider.config.clone(),
            sharing,
            owner: None,
            is_singleton: provider.is_singleton,
            spread,
            rollout: provider.rollout.clone(),
        })
    }

    fn check_alone(
        &self,
        manifest: &Manifest,
        name: &Spanned<String>,
        placement: &Placement,
        problems: &mut Problems,
    ) {
        if placement.spread.replicas != Some(1) || placement.spread.scaling.is_some() {
            let message = format!("`{}` is a singleton: it runs on one host at most", name.value);
            problems.error(&manifest.source, placement.span, message, "leave `replicas` out");
        }
    }

    /// Only what a host runs or launches can be kept from answering.
    fn check_fenced(
        &self,
        manifest: &Manifest,
        provider: &manifest::Provider,
        sharing: Sharing,
        problems: &mut Problems,
    ) {
        let name = &provider.name.value;
        let (message, help) = match (&provider.source.value, sharing) {
            (
                ProviderSource::Builtin(_)
                | ProviderSource::BuiltinProcess(_)
                | ProviderSource::Command(_),
                Sharing::Replicable,
            ) => return,
            (_, Sharing::Exclusive) => {
                (format!("`{name}` is exclusive: it never moves"), "leave `singleton` out")
            }
            (ProviderSource::External, Sharing::Replicable) => (
                format!("`{name}` is started by somebody else: no host can fence it"),
                "a singleton is a component, or a provider that a host runs or launches",
            ),
        };
        problems.error(&manifest.source, provider.source.span, message, help);
    }

    fn sharing(
        &self,
        manifest: &Manifest,
        provider: &manifest::Provider,
        problems: &mut Problems,
    ) -> Option<Sharing> {
        let (ProviderSource::Builtin(name) | ProviderSource::BuiltinProcess(name)) =
            &provider.source.value
        else {
            return Some(provider.sharing.unwrap_or(Sharing::Replicable));
        };
        let span = provider.source.span;
        let Some(builtin) = self.facts.builtins.get(name) else {
            let message = format!("there is no builtin provider `{name}`");
            let help = suggest::help(name, self.facts.builtins.keys().map(String::as_str));
            problems.error(&manifest.source, span, message, help);
            return None;
        };
        if provider.sharing.is_some_and(|sharing| sharing != builtin.sharing) {
            let message = format!("`{name}` says by itself whether it can be shared");
            problems.error(&manifest.source, span, message, "remove `sharing`");
        }
        Some(builtin.sharing)
    }

    /// The builtins that these links lead to and that belong to no application.
    pub(super) fn shared(&self, links: &[DesiredLink]) -> Vec<Provider> {
        let mut shared: Vec<Provider> = Vec::new();
        for target in links.iter().flat_map(|desired| desired.link.targets()) {
            let is_new = !shared.iter().any(|provider| provider.id == *target);
            if is_new && let Some(provider) = shared_provider(target, self.facts.builtins) {
                shared.push(provider);
            }
        }
        shared
    }

    /// The world of an object of these manifests or of the lattice, where it is known.
    pub(super) fn world(&self, id: &ObjectId) -> Option<&World> {
        let of_this = |manifest: &&Manifest| {
            (manifest.team.as_str(), manifest.application.value.as_str())
                == (id.team(), id.application())
        };
        let Some(manifest) = self.manifests.iter().find(of_this) else {
            return match shared_provider(id, self.facts.builtins) {
                Some(_) => self.facts.builtins.get(id.name()).map(|builtin| &builtin.world),
                None => self.facts.inventory.world(id, self.facts.builtins),
            };
        };
        if let Some(Ok(image)) = self.facts.images.get(id) {
            return Some(&image.world);
        }
        let provider = manifest.providers.iter().find(|each| each.name.value == id.name())?;
        match &provider.source.value {
            ProviderSource::Builtin(name) | ProviderSource::BuiltinProcess(name) => {
                self.facts.builtins.get(name).map(|builtin| &builtin.world)
            }
            // The process that runs has said what it serves; one that another command starts may serve something else.
            source @ (ProviderSource::Command(_) | ProviderSource::External) => {
                let stored = self.facts.inventory.providers.get(&key::provider(id))?;
                let is_same = stored.record.source == *source;
                is_same.then(|| self.facts.inventory.world(id, self.facts.builtins)).flatten()
            }
        }
    }
}

/// The record of a builtin that belongs to no application: `default/keyvalue-redb/keyvalue-redb`. `None` where `id`
/// is not of that form.
///
/// A replicable one runs on every host, so that nobody has to cross the network to it.
#[must_use]
pub fn shared_provider(id: &ObjectId, builtins: &crate::inventory::Builtins) -> Option<Provider> {
    if ObjectId::bare(id.name()).ok().as_ref() != Some(id) {
        return None;
    }
    let builtin = builtins.get(id.name())?;
    let replicas = match builtin.sharing {
        Sharing::Exclusive => Some(1),
        Sharing::Replicable => None,
    };
    Some(Provider {
        id: id.clone(),
        source: ProviderSource::Builtin(id.name().to_owned()),
        generation: 0,
        config: serde_json::Value::Null,
        sharing: builtin.sharing,
        owner: None,
        is_singleton: false,
        spread: Spread { replicas, ..Spread::default() },
        rollout: Default::default(),
    })
}
