//! Whether the secrets that a manifest names are there.

use wicker_lattice::secret::SecretId;

use super::Batch;
use crate::diagnostic::{Problems, Spanned};
use crate::manifest::Manifest;
use crate::suggest;

impl Batch<'_> {
    /// Notes every secret that is named and that nobody has set. Hosts without a word on their secrets count as having
    /// none of their own.
    pub(super) fn check_secrets(&self, manifest: &Manifest, problems: &mut Problems) {
        let of_components = manifest.components.iter().flat_map(|each| each.secrets.values());
        let of_providers = manifest.providers.iter().flat_map(|each| &each.secrets);
        let of_links = manifest.links.iter().flat_map(|each| each.secrets.values());
        for name in of_components.chain(of_providers).chain(of_links) {
            self.check_secret(manifest, name, problems);
        }
    }

    fn check_secret(&self, manifest: &Manifest, name: &Spanned<String>, problems: &mut Problems) {
        let known = &self.facts.inventory.secrets;
        let Ok(id) = SecretId::new(&manifest.team, &name.value) else { return };
        if known.contains(&id) {
            return;
        }
        let team = &manifest.team;
        let own = known.iter().filter(|id| id.team() == team).map(SecretId::name);
        let help = match suggest::nearest(&name.value, own) {
            Some(other) => format!("did you mean `{other}`?"),
            None => format!("set it: wicker secret set {}", shown(&id)),
        };
        let message = format!("there is no secret `{}` of team {team}", name.value);
        problems.error(&manifest.source, name.span, message, help);
    }
}

/// As `wicker secret` takes it.
fn shown(id: &SecretId) -> String {
    if id.team() == wicker_lattice::id::DEFAULT_TEAM {
        id.name().to_owned()
    } else {
        id.to_string()
    }
}
