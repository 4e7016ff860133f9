//! The hosts that placement chooses from, and what each carries.

use std::collections::BTreeMap;

use wicker_lattice::id::ProcessId;
use wicker_lattice::store::record::Host;

/// One live host.
#[derive(Debug, Clone)]
pub struct HostView {
    /// What it says about itself.
    pub host: Host,
    /// Objects that are placed on it.
    pub placed: usize,
}

impl HostView {
    /// How full it is, 0 to 10, by what is scarcer: memory or CPU. Steps of a tenth, so that noise decides nothing.
    #[must_use]
    pub fn pressure(&self) -> u8 {
        let Some(load) = &self.host.load else { return 0 };
        let memory = (load.memory_used_bytes.saturating_mul(10))
            .checked_div(load.memory_bytes)
            .unwrap_or_default();
        let cpu = u64::from(load.cpu_percent) / 10;
        u8::try_from(memory.max(cpu).min(10)).unwrap_or(10)
    }
}

/// The live hosts.
#[derive(Debug, Clone, Default)]
pub struct Hosts(BTreeMap<ProcessId, HostView>);

impl Hosts {
    /// Hosts, each carrying as many objects as `placed` names it.
    pub fn new(
        hosts: impl IntoIterator<Item = Host>,
        placed: impl IntoIterator<Item = ProcessId>,
    ) -> Self {
        let views = hosts.into_iter().map(|host| (host.process, HostView { host, placed: 0 }));
        let mut hosts = Self(views.collect());
        placed.into_iter().for_each(|host| hosts.count(host, 1));
        hosts
    }

    /// A host lives, or says something new about itself; what it said before, if it lived before.
    pub fn put(&mut self, host: Host, placed: usize) -> Option<Host> {
        let process = host.process;
        self.0.insert(process, HostView { host, placed }).map(|before| before.host)
    }

    /// A host is gone; whether it was there.
    pub fn remove(&mut self, process: ProcessId) -> bool {
        self.0.remove(&process).is_some()
    }

    /// Counts objects placed on a host, or taken from it.
    pub fn count(&mut self, process: ProcessId, by: isize) {
        if let Some(view) = self.0.get_mut(&process) {
            view.placed = view.placed.saturating_add_signed(by);
        }
    }

    /// A live host by its id.
    #[must_use]
    pub fn get(&self, process: ProcessId) -> Option<&HostView> {
        self.0.get(&process)
    }

    /// Every live host, draining ones too.
    pub fn alive(&self) -> impl Iterator<Item = &HostView> {
        self.0.values()
    }
}
