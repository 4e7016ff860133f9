//! What the lattice holds and who is there, as one process read it a moment ago.

use std::collections::{BTreeMap, BTreeSet};

use wicker_lattice::export::Exports;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::secret::SecretId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{
    Application, Component, Export, Host, Link, Placement, Provider, ProviderSource, Route,
    Running, Schedule, Scope, Sharing,
};
use wicker_lattice::types::World;

use crate::compat::{Mismatch, mismatches};
use crate::known::is_host_served;
use crate::placement::{Hosts, Neighbours};

/// A record and the revision under which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// What it says.
    pub record: R,
    /// What a write based on it must name.
    pub revision: u64,
}

/// Records by their keys.
pub type Records<R> = BTreeMap<String, Stored<R>>;

/// Everything that planning looks at.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Hosts whose lease is alive, draining ones too.
    pub hosts: Vec<Host>,
    /// Hosts that have not left and do not answer: lost, or about to be found lost. Nothing is planned on them.
    pub silent_hosts: Vec<Host>,
    /// All applications.
    pub applications: Records<Application>,
    /// All components.
    pub components: Records<Component>,
    /// All providers.
    pub providers: Records<Provider>,
    /// All links.
    pub links: Records<Link>,
    /// All routes.
    pub routes: Records<Route>,
    /// All schedules.
    pub schedules: Records<Schedule>,
    /// All exports.
    pub exports: Records<Export>,
    /// All placements.
    pub placements: Records<Placement>,
    /// What processes say about what they run.
    pub running: Vec<Running>,
    /// Every secret that is set, or that some host says it has.
    pub secrets: BTreeSet<SecretId>,
    /// Worlds by digest.
    pub worlds: BTreeMap<String, World>,
    /// The last generations of applications that are not there any more, by their keys: the next one goes on from it.
    pub retired: BTreeMap<String, u64>,
}

/// A provider implementation that every `wicker` has in it.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// Whether several hosts may run one.
    pub sharing: Sharing,
    /// What it serves and calls.
    pub world: World,
}

/// The builtins by name.
pub type Builtins = BTreeMap<String, Builtin>;

impl Inventory {
    /// Every component and provider that there is a record of.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectId> {
        let components = self.components.values().map(|stored| &stored.record.id);
        components.chain(self.providers.values().map(|stored| &stored.record.id))
    }

    /// The world of an object, where it is known.
    #[must_use]
    pub fn world<'a>(&'a self, id: &ObjectId, builtins: &'a Builtins) -> Option<&'a World> {
        if let Some(component) = self.components.get(&key::component(id)) {
            return self.worlds.get(&component.record.digest);
        }
        let provider = self.providers.get(&key::provider(id))?;
        match &provider.record.source {
            ProviderSource::Builtin(name) | ProviderSource::BuiltinProcess(name) => {
                builtins.get(name).map(|builtin| &builtin.world)
            }
            ProviderSource::Command(_) | ProviderSource::External => self.registered_world(id),
        }
    }

    /// The world that the processes which run a provider say it has.
    fn registered_world(&self, id: &ObjectId) -> Option<&World> {
        let mut running = self.running.iter().filter(|running| running.object == *id);
        running.find_map(|running| self.worlds.get(running.types.as_ref()?))
    }

    /// The exports, and which objects are everybody's.
    #[must_use]
    pub fn open_to_others(&self) -> Exports {
        let mut exports = Exports::default();
        for stored in self.exports.values() {
            exports.put(stored.record.clone(), stored.revision);
        }
        for stored in self.components.values() {
            exports.own(&stored.record.id);
        }
        for stored in self.providers.values() {
            exports.see_provider(&stored.record);
        }
        exports
    }

    /// What `link` is made for and its target does not offer, as far as both are known.
    #[must_use]
    pub fn mismatches(&self, link: &Link, builtins: &Builtins) -> Vec<Mismatch> {
        let Some(source) = self.world(&link.source, builtins) else { return Vec::new() };
        let imports = source.imports.iter().filter(|(name, _)| self.is_covered(name, link));
        let imports: Vec<_> = imports.collect();
        let targets = self.serve(link).into_iter();
        let targets = targets.filter_map(|target| self.world(target, builtins));
        let of_one = |target| {
            let each = imports.iter();
            each.flat_map(move |(name, functions)| mismatches(name, functions, target))
        };
        targets.flat_map(of_one).collect()
    }

    /// Who serves `link`: its targets, or whom the exports of those names lead to.
    #[must_use]
    pub fn serve<'a>(&'a self, link: &'a Link) -> Vec<&'a ObjectId> {
        let served = |target: &'a ObjectId| {
            let export = self.exports.get(&key::export(target));
            let export = export.filter(|_| link.source.team() != target.team());
            export.map_or(target, |stored| &stored.record.target)
        };
        link.targets().map(served).collect()
    }

    /// Whether an import of its source goes through `link`, and not through a narrower one.
    pub(crate) fn is_covered(&self, import: &InterfaceName, link: &Link) -> bool {
        match &link.scope {
            Scope::Interface(interface) => import.key() == *interface,
            Scope::Package(package) => {
                let narrower = key::link(&link.source, &Scope::Interface(import.key()), &link.name);
                import.key().package() == *package
                    && !is_host_served(import)
                    && !self.links.contains_key(&narrower)
            }
        }
    }

    /// Where an object is placed, as the records say.
    pub fn placements_of<'a>(
        &'a self,
        id: &'a ObjectId,
    ) -> impl Iterator<Item = (&'a String, &'a Stored<Placement>)> {
        self.placements.iter().filter(move |(_, stored)| stored.record.object == *id)
    }

    /// The live hosts, and how much each carries.
    #[must_use]
    pub fn hosts_with_load(&self) -> Hosts {
        let placed = self.placements.values().map(|stored| stored.record.host);
        Hosts::new(self.hosts.iter().cloned(), placed)
    }

    /// A live host by its id.
    #[must_use]
    pub fn host(&self, process: ProcessId) -> Option<&Host> {
        self.hosts.iter().find(|host| host.process == process)
    }
}

impl Neighbours for Inventory {
    fn hosts_of(&self, object: &ObjectId) -> BTreeSet<ProcessId> {
        self.placements_of(object).map(|(_, stored)| stored.record.host).collect()
    }
}
