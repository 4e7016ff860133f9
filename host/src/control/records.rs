//! The lattice's state as far as this host has read it, and what is made of it for the tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use wicker_lattice::export::{Exports, Lead};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::store::record::{Link, Provider, Route, RunState, Running, Schedule, Sharing};
use wicker_lattice::store::{Change, Entry};
use wicker_lattice::types::World;
use wicker_provider::LinkRecord;

use crate::table::{Peer, Places, Sources};

/// Every record that matters to a host.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) links: BTreeMap<String, Entry<Link>>,
    pub(super) exports: Exports,
    pub(super) routes: BTreeMap<String, Entry<Route>>,
    pub(super) schedules: BTreeMap<String, Schedule>,
    running: HashMap<String, Running>,
    owners: HashMap<ObjectId, Option<ProcessId>>,
    specified: HashSet<ObjectId>,
    /// What objects need and offer, by the digest that their status names; `None`: it is being read.
    worlds: HashMap<String, Option<Arc<World>>>,
    /// One that came back is another: what was held against it before does not count.
    peers: HashMap<(ProcessId, Incarnation), Arc<Peer>>,
}

impl Records {
    /// The links of one source.
    pub(super) fn links_of(&self, source: &ObjectId) -> Vec<Entry<Link>> {
        self.links.values().filter(|link| link.record.source == *source).cloned().collect()
    }

    /// The links that lead to one object, or away from it, as they count.
    pub(super) fn links_at<'a>(&'a self, id: &'a ObjectId) -> impl Iterator<Item = LinkRecord> {
        let counting = self.links.values().map(|link| self.counting(link));
        counting.filter(move |LinkRecord { link, .. }| link.leads_to(id) || link.source == *id)
    }

    /// Where one target of a link leads just now.
    pub(super) fn lead(&self, link: &Entry<Link>, to: &ObjectId) -> Lead {
        self.exports.lead(link.record.source.team(), to, None)
    }

    /// A link with the targets and config that count.
    pub(super) fn counting(&self, link: &Entry<Link>) -> LinkRecord {
        let (link, revision) = self.exports.counting(&link.record, link.revision);
        LinkRecord { link, revision }
    }

    /// Takes in a status record; whether anything changed.
    pub(super) fn see_running(&mut self, change: Change<Running>) -> bool {
        match change {
            Change::Put(entry) => {
                self.running.insert(entry.key, entry.record.clone()) != Some(entry.record)
            }
            Change::Deleted { key } => self.running.remove(&key).is_some(),
            Change::Current => false,
        }
    }

    /// The host that owns an exclusive object.
    pub(super) fn owner(&self, id: &ObjectId) -> Option<ProcessId> {
        self.owners.get(id).copied().flatten()
    }

    pub(super) fn specified(&mut self, id: &ObjectId) {
        self.specified.insert(id.clone());
    }

    pub(super) fn unspecified(&mut self, id: &ObjectId) {
        self.specified.remove(id);
        self.owners.remove(id);
    }

    pub(super) fn see_owner(&mut self, provider: &Provider) {
        match provider.sharing {
            Sharing::Exclusive => self.owners.insert(provider.id.clone(), provider.owner),
            Sharing::Replicable => self.owners.remove(&provider.id),
        };
    }

    /// Where everything runs. Peers that were known stay, with what is known of them.
    pub(super) fn places(&mut self, own: ProcessId, peer: impl Fn(ProcessId) -> Peer) -> Places {
        let mut kept = HashMap::new();
        let known = std::mem::take(&mut self.peers);
        let sources = Sources {
            own,
            running: &self.running,
            owners: &self.owners,
            specified: &self.specified,
        };
        let places = Places::new(&sources, |running| {
            let start = (running.process, running.incarnation);
            let make =
                || known.get(&start).map_or_else(|| Arc::new(peer(running.process)), Arc::clone);
            Arc::clone(kept.entry(start).or_insert_with(make))
        });
        self.peers = kept;
        places
    }

    /// The digests of what `target` offers where it runs, as its processes say.
    pub(super) fn types_of<'a>(&'a self, target: &'a ObjectId) -> impl Iterator<Item = &'a String> {
        let is_its =
            move |running: &&Running| running.object == *target && running.state.takes_calls();
        self.running.values().filter(is_its).filter_map(|running| running.types.as_ref())
    }

    /// The world of that digest, once it was read.
    pub(super) fn world(&self, types: &str) -> Option<&World> {
        self.worlds.get(types)?.as_deref()
    }

    /// Whether the world of that digest must be read now: asked for the first time.
    pub(super) fn wants_world(&mut self, types: &str) -> bool {
        let is_new = !self.worlds.contains_key(types);
        if is_new {
            self.worlds.insert(types.to_owned(), None);
        }
        is_new
    }

    /// Takes in a world that was read; `None`: it could not be, and is wanted again.
    pub(super) fn learn_world(&mut self, types: String, world: Option<World>) {
        match world {
            Some(world) => _ = self.worlds.insert(types, Some(Arc::new(world))),
            None => _ = self.worlds.remove(&types),
        }
    }

    /// What does not work well on the host `own`, for people; `None`: all does.
    pub(super) fn ailing(&self, own: ProcessId) -> Option<String> {
        let is_ailing = |running: &&Running| {
            running.host == Some(own)
                && matches!(
                    running.state,
                    RunState::Failed | RunState::Degraded | RunState::Unready
                )
        };
        let mut ailing: Vec<&Running> = self.running.values().filter(is_ailing).collect();
        ailing.sort_by(|a, b| a.object.cmp(&b.object));
        let first = ailing.first()?;
        let why = first.reason.as_deref().unwrap_or("it does not say why");
        let more = match ailing.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Some(format!("{}: {why}{more}", first.object))
    }

    /// Status records that this process wrote in an earlier life or for what it no longer runs.
    pub(super) fn own_leftovers(
        &self,
        own: ProcessId,
        runs: impl Fn(&ObjectId) -> bool,
    ) -> Vec<ObjectId> {
        let stale = |running: &&Running| running.process == own && !runs(&running.object);
        self.running.values().filter(stale).map(|running| running.object.clone()).collect()
    }
}
