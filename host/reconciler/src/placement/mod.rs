//! Which hosts run what. Pure: the same question has the same answer.
//!
//! What runs already stays where it is: a host that comes back, or one more, moves nothing. New replicas go to the hosts
//! with the least on them; one host never gets two.

mod explain;
mod host;
mod score;

use std::collections::{BTreeMap, BTreeSet};

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Affinity, Host, Spread};

pub use explain::{Explanation, HostReason};
pub use host::{HostView, Hosts};
use score::{Picked, Score};

/// Where should this run?
#[derive(Debug)]
pub struct Question<'a, N> {
    /// What.
    pub id: &'a ObjectId,
    /// On how many hosts, and which.
    pub spread: &'a Spread,
    /// The hosts that run it now.
    pub current: &'a BTreeSet<ProcessId>,
    /// All that live.
    pub hosts: &'a Hosts,
    /// Where other objects run.
    pub neighbours: &'a N,
}

/// Where something should run, and what the user should know about that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// In the order of their ids.
    pub hosts: Vec<ProcessId>,
    /// Why there are fewer than wanted.
    pub shortage: Option<String>,
    /// Fewer than wanted, or wanted on every host: a new host may change the answer.
    pub may_grow: bool,
}

/// Why something must not run on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objection<'a> {
    Draining,
    /// A label that the host does not carry with this value.
    Label(&'a str, &'a str),
    /// An object that must run there too, and does not.
    Away(&'a ObjectId),
    /// An object that must not run there, and does.
    There(&'a ObjectId),
}

/// Tells on which hosts an object runs, for affinities to it.
pub trait Neighbours {
    /// The hosts on which `object` is placed.
    fn hosts_of(&self, object: &ObjectId) -> BTreeSet<ProcessId>;
}

impl<N: Neighbours> Question<'_, N> {
    /// The hosts for something that may run on several.
    #[must_use]
    pub fn spread(&self) -> Choice {
        self.on(self.spread.replicas)
    }

    /// The one host for something whose state is in it: its owner, whatever else has changed.
    #[must_use]
    pub fn exclusive(&self, owner: Option<ProcessId>) -> Choice {
        let Some(owner) = owner else { return self.on(Some(1)) };
        let id = self.id;
        let shortage = match self.hosts.get(owner) {
            None => Some(format!(
                "{id} keeps its data on host {owner}, which is away; calls wait for it"
            )),
            Some(view) if !carries(&view.host.labels, self.spread) => {
                Some(format!("{id} stays on {}: its data is there", view.host.name))
            }
            Some(_) => None,
        };
        Choice { hosts: vec![owner], shortage, may_grow: false }
    }

    fn on(&self, replicas: Option<u32>) -> Choice {
        let (id, spread) = (self.id, self.spread);
        let eligible = self.eligible();
        let Some(replicas) = replicas else {
            let mut all: Vec<ProcessId> = eligible.iter().map(|view| view.host.process).collect();
            all.sort_unstable();
            let nowhere =
                || format!("{id} runs nowhere: no host {}", conditions(spread, "matches"));
            return Choice { shortage: all.is_empty().then(nowhere), hosts: all, may_grow: true };
        };
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        let shortage = (eligible.len() < wanted).then(|| {
            let found = eligible.len();
            format!("{id} wants {wanted} hosts, {found} {}", conditions(spread, "match"))
        });
        let may_grow = shortage.is_some();
        let mut hosts: Vec<ProcessId> =
            self.pick(eligible, wanted).hosts.into_iter().map(|(host, _)| host).collect();
        hosts.sort_unstable();
        Choice { hosts, shortage, may_grow }
    }

    fn eligible(&self) -> Vec<&HostView> {
        self.hosts.alive().filter(|view| self.objection(&view.host).is_none()).collect()
    }

    /// Takes the best host again and again: each replica changes how even the spread is.
    fn pick<'h>(&self, eligible: Vec<&'h HostView>, wanted: usize) -> Picked<'h> {
        let seed = rank_seed(self.id);
        let score = |view: &'h HostView| {
            let process = view.host.process;
            let score = Score {
                there_already: 0,
                is_new: !self.current.contains(&process),
                wishes_missed: self.wishes_missed(&view.host),
                pressure: view.pressure(),
                placed: view.placed,
                rank: rank(seed, process),
            };
            (view, score)
        };
        let mut left: Vec<(&HostView, Score)> = eligible.into_iter().map(score).collect();
        let mut hosts = Vec::with_capacity(wanted.min(left.len()));
        while hosts.len() < wanted {
            let best = left.iter().enumerate().min_by_key(|(_, (_, score))| score);
            let Some(index) = best.map(|(index, _)| index) else { break };
            let (view, score) = left.swap_remove(index);
            if self.spread.over.is_some() {
                let value = self.value(view);
                let same = left.iter_mut().filter(|(other, _)| self.value(other) == value);
                same.for_each(|(_, score)| score.there_already += 1);
            }
            hosts.push((view.host.process, score));
        }
        Picked { hosts, left }
    }

    /// The host's value of the label over which replicas are spread.
    fn value<'v>(&self, view: &'v HostView) -> &'v str {
        let label = self.spread.over.as_ref();
        label.and_then(|label| view.host.labels.get(label)).map_or("", String::as_str)
    }

    /// Why it must not run on a host.
    fn objection(&self, host: &Host) -> Option<Objection<'_>> {
        if host.is_draining {
            return Some(Objection::Draining);
        }
        let Spread { labels, near, apart, .. } = self.spread;
        let missing = labels.iter().find(|(key, value)| host.labels.get(*key) != Some(*value));
        if let Some((key, value)) = missing {
            return Some(Objection::Label(key, value));
        }
        let required = |affinity: &&Affinity| affinity.is_required;
        let away = near.iter().filter(required).find(|near| !self.is_near(host, near));
        let there = || apart.iter().filter(required).find(|apart| !self.is_apart(host, apart));
        away.map(|near| Objection::Away(&near.to))
            .or_else(|| there().map(|apart| Objection::There(&apart.to)))
    }

    /// How many of the preferences a host does not meet.
    fn wishes_missed(&self, host: &Host) -> usize {
        let Spread { preferred, near, apart, .. } = self.spread;
        let wished = |affinity: &&Affinity| !affinity.is_required;
        let labels = preferred.iter().filter(|(key, value)| host.labels.get(*key) != Some(*value));
        let near = near.iter().filter(wished).filter(|near| !self.is_near(host, near));
        let apart = apart.iter().filter(wished).filter(|apart| !self.is_apart(host, apart));
        labels.count() + near.count() + apart.count()
    }

    /// Nearness to what runs nowhere yet asks for nothing.
    fn is_near(&self, host: &Host, affinity: &Affinity) -> bool {
        let there = self.neighbours.hosts_of(&affinity.to);
        there.is_empty() || there.contains(&host.process)
    }

    fn is_apart(&self, host: &Host, affinity: &Affinity) -> bool {
        !self.neighbours.hosts_of(&affinity.to).contains(&host.process)
    }
}

/// Whether a host's labels hold all that `spread` asks for.
pub(crate) fn carries(labels: &BTreeMap<String, String>, spread: &Spread) -> bool {
    spread.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// What a host must meet, for people.
fn conditions(spread: &Spread, verb: &str) -> String {
    let required = |affinities: &[Affinity], word: &str| {
        let required = affinities.iter().filter(|each| each.is_required);
        let names: Vec<String> = required.map(|each| each.to.to_string()).collect();
        (!names.is_empty()).then(|| format!("{word} {}", names.join(" and ")))
    };
    let labels: Vec<String> =
        spread.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let labels = (!labels.is_empty()).then(|| format!("{{{}}}", labels.join(", ")));
    let conditions =
        [labels, required(&spread.near, "near"), required(&spread.apart, "apart from")];
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    if conditions.is_empty() {
        verb.to_owned()
    } else {
        format!("{verb} {}", conditions.join(", "))
    }
}

/// Decides between equals, differently for each object: FNV-1a over both names, of which this is the object's.
fn rank_seed(id: &ObjectId) -> u64 {
    hash(0xcbf2_9ce4_8422_2325, id.as_str().as_bytes())
}

fn rank(seed: u64, host: ProcessId) -> u64 {
    hash(seed, &host.to_bytes())
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
