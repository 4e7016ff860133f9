//! Links across teams: where they lead ([`Exports`]), who is let in at the other end ([`Gate`]), and how often (quotas).
//!
//! A link between objects of one team leads to its target, as it always did. A link to another team leads to an *export*
//! of that name, and through it to whoever serves it now; only while the export grants its interface to the caller's team.
//! Callers look first, so that they fail early and say why; the host or process of the callee decides.
//!
//! A provider of no application (`default/NAME/NAME`) belongs to everybody and needs no export.

mod gate;
mod meter;
#[cfg(feature = "nats")]
mod read;

pub use gate::Gate;
#[cfg(feature = "nats")]
pub use read::counting;

use std::collections::{BTreeMap, HashSet};

use crate::id::{DEFAULT_TEAM, ObjectId};
use crate::interface::InterfaceKey;
use crate::store::record::{Export, Link, Provider};

/// Every export of a lattice, as far as one process has read them.
#[derive(Debug, Clone, Default)]
pub struct Exports {
    exports: BTreeMap<ObjectId, (Export, u64)>,
    /// Objects that belong to an application or to a file on a command line.
    owned: HashSet<ObjectId>,
}

/// Where one target of a link leads just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Who serves it; where it is closed, the target as it is written.
    pub target: ObjectId,
    /// Of the export that it leads through; 0 where it leads through none.
    pub revision: u64,
    /// Link config that the export's team insists on.
    pub config: BTreeMap<String, String>,
    /// Why no call passes; `None`: they do.
    pub closed: Option<String>,
}

impl Exports {
    /// Takes in an export.
    pub fn put(&mut self, export: Export, revision: u64) {
        self.exports.insert(export.id.clone(), (export, revision));
    }

    /// An export is gone: what it said, and under which revision.
    pub fn remove(&mut self, id: &ObjectId) -> Option<(Export, u64)> {
        self.exports.remove(id)
    }

    /// The export of that name.
    #[must_use]
    pub fn get(&self, id: &ObjectId) -> Option<&Export> {
        self.exports.get(id).map(|(export, _)| export)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Export> {
        self.exports.values().map(|(export, _)| export)
    }

    /// Notes that an object belongs to an application or to a file on a command line: it is not everybody's.
    pub fn own(&mut self, id: &ObjectId) {
        self.owned.insert(id.clone());
    }

    /// Notes that it does not, or is gone.
    pub fn disown(&mut self, id: &ObjectId) {
        self.owned.remove(id);
    }

    /// Notes whether a provider belongs to an application.
    pub fn see_provider(&mut self, provider: &Provider) {
        match provider.generation {
            0 => self.disown(&provider.id),
            _ => self.own(&provider.id),
        }
    }

    /// Whether `id` is a provider of no application: everybody's.
    #[must_use]
    pub fn is_shared(&self, id: &ObjectId) -> bool {
        may_be_shared(id) && !self.owned.contains(id)
    }

    /// Where a link of `team` to `target` leads; for one interface of it, if one is given.
    #[must_use]
    pub fn lead(&self, team: &str, target: &ObjectId, interface: Option<&InterfaceKey>) -> Lead {
        let found = self.exports.get(target);
        let direct =
            Lead { target: target.clone(), revision: 0, config: BTreeMap::new(), closed: None };
        if team == target.team() || (found.is_none() && self.is_shared(target)) {
            return direct;
        }
        let revision = found.map_or(0, |(_, revision)| *revision);
        let export = found.map(|(export, _)| export);
        let closed = refusal(team, target, export, interface);
        match export.filter(|_| closed.is_none()) {
            Some(export) => {
                let config = export.to.get(team).map(|terms| terms.config.clone());
                let config = config.unwrap_or_default();
                Lead { target: export.target.clone(), revision, config, closed }
            }
            None => Lead { revision, closed, ..direct },
        }
    }

    /// A link, read under `revision`, with the targets and config that count, and its revision or that of an export of its,
    /// whichever is newest.
    #[must_use]
    pub fn counting(&self, link: &Link, revision: u64) -> (Link, u64) {
        let (mut link, mut newest) = (link.clone(), revision);
        let team = link.source.team().to_owned();
        let shares = link.split.iter_mut().map(|share| &mut share.target);
        for target in shares.chain([&mut link.target]) {
            let Lead { target: served, revision, config, .. } = self.lead(&team, target, None);
            *target = served;
            newest = newest.max(revision);
            link.config.extend(config);
        }
        (link, newest)
    }
}

/// Whether `id` has the form of a provider of no application.
#[must_use]
pub fn may_be_shared(id: &ObjectId) -> bool {
    id.team() == DEFAULT_TEAM && id.application() == id.name()
}

/// Why `team` may not link to the export `name` (for `interface` of it, if one is given); `None`: it may.
#[must_use]
pub fn refusal(
    team: &str,
    name: &ObjectId,
    export: Option<&Export>,
    interface: Option<&InterfaceKey>,
) -> Option<String> {
    let Some(export) = export else {
        return Some(format!("team `{}` offers no {name}", name.team()));
    };
    if !export.to.contains_key(team) {
        return Some(format!("{name} is not offered to team `{team}`"));
    }
    let interface = interface.filter(|interface| !export.offers(interface))?;
    Some(format!("{name} does not offer {interface}"))
}

#[cfg(test)]
mod tests;
