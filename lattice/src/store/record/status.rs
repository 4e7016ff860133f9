//! What is: written by the process that a key names, and by the one host that acts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ObjectKind;
use crate::id::{Incarnation, ObjectId, ProcessId};
use crate::interface::InterfaceKey;

/// Status key `host.<process>`: a host's lease. Renewed every second; gone after three silent ones, by each reader's
/// own monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Which host.
    pub process: ProcessId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// The machine's name, for people.
    pub name: String,
    /// What placement matches against; always holds `host` (its name).
    pub labels: BTreeMap<String, String>,
    /// Where its listener answers HTTP.
    pub http: Option<String>,
    /// The operating system's id of its process, for people and tests on the same machine.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Wicker's version.
    pub version: String,
    /// Rises by one with each renewal.
    pub beat: u64,
    /// It takes no new work and will be gone soon.
    #[serde(default)]
    pub is_draining: bool,
    /// Something does not work; why, for people.
    #[serde(default)]
    pub degraded: Option<String>,
    /// Its lease ran out and it does not answer: when that was found, RFC 3339. Written by the [`Leader`]; the host
    /// itself takes it back with its next renewal.
    #[serde(default)]
    pub lost_at: Option<String>,
    /// How busy the machine is.
    #[serde(default)]
    pub load: Option<Load>,
    /// Calls that run or wait here, by component: of those that have any, the busiest [`BUSY_MAX`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub busy: BTreeMap<ObjectId, u32>,
}

/// Components of which a host says how busy they are, at most.
pub const BUSY_MAX: usize = 64;

/// How busy a machine is. Placement prefers the less busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Of all cores, over the last seconds, in percent.
    pub cpu_percent: u8,
    /// In use, bytes.
    pub memory_used_bytes: u64,
    /// In all, bytes.
    pub memory_bytes: u64,
}

/// Status key `leader`: the one host whose reconciler acts. Claimed by compare-and-swap, renewed like a lease, and
/// anybody's once it was silent for as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Which host.
    pub process: ProcessId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Rises by one with each renewal.
    pub beat: u64,
}

/// Status key `progress.<team>.<application>`: how far the latest deployment of an application is. Written by the
/// reconciler that acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The team that owns it.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Which deployment.
    pub generation: u64,
    /// How it is.
    pub state: ProgressState,
    /// Why it is so.
    #[serde(default)]
    pub reason: Option<String>,
    /// The last deployment that was ready as a whole: what a failed one goes back to.
    #[serde(default)]
    pub ready: Option<u64>,
    /// Set where it failed and the reconciler goes back: to which deployment.
    #[serde(default)]
    pub goes_back_to: Option<u64>,
    /// RFC 3339 time of the last change of `state`.
    pub since: String,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressState {
    /// Hosts are changing to it.
    Rolling,
    /// Everything runs as it says, on as many hosts as it says.
    Ready,
    /// Everything runs as it says, but on fewer hosts than it says.
    Short,
    /// Something of it cannot be started.
    Failed,
}

/// Status key `process.<process>`: the lease of a provider in a process of its own. Renewed like a host's; its readers
/// tell a provider that died without a word from one that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderProcess {
    /// Which process.
    pub process: ProcessId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// What it runs.
    pub object: ObjectId,
    /// The host that launched it; `None` where somebody else did.
    #[serde(default)]
    pub host: Option<ProcessId>,
    /// The operating system's id of it, for people and tests on the same machine.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Rises by one with each renewal.
    pub beat: u64,
}

/// Status key `running.<id>.<process>`: one object in one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// What.
    pub object: ObjectId,
    /// Component or provider.
    pub kind: ObjectKind,
    /// Where calls to it go: the host, or the provider's own process.
    pub process: ProcessId,
    /// Which start of that process.
    pub incarnation: Incarnation,
    /// The host that runs it or launched it; `None` for an external provider.
    pub host: Option<ProcessId>,
    /// Of the spec that is running.
    pub generation: u64,
    /// Of a component: what is loaded.
    #[serde(default)]
    pub digest: Option<String>,
    /// The interfaces it serves.
    #[serde(default)]
    pub serves: Vec<InterfaceKey>,
    /// Under which digest its [`Types`](super::Types) are stored: what it needs and offers, by signature.
    #[serde(default)]
    pub types: Option<String>,
    /// How it is.
    pub state: RunState,
    /// Why it is so: what failed, which imports wait for a link.
    #[serde(default)]
    pub reason: Option<String>,
    /// Of a provider: the links that it cannot serve, by their keys, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failing_links: BTreeMap<String, String>,
    /// A newer generation that could not be started here; what runs, if anything, is older.
    #[serde(default)]
    pub failed_generation: Option<u64>,
    /// RFC 3339 time of the last change of `state`.
    pub since: String,
}

/// How a running object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Being fetched, compiled or launched.
    Starting,
    /// Answers calls.
    Ready,
    /// Answers calls, but an import waits for its link or target.
    Pending,
    /// Answers calls, not all of them well.
    Degraded,
    /// Runs, but says that it is not ready: calls go to others.
    Unready,
    /// Does not answer; see the reason.
    Failed,
    /// Finishes what it has, takes no more.
    Draining,
}

impl RunState {
    /// Whether calls may be sent to it.
    #[must_use]
    pub fn takes_calls(self) -> bool {
        matches!(self, Self::Ready | Self::Pending | Self::Degraded)
    }
}

/// Status key `claim.<id>`: the one host that may run a singleton. Claimed by compare-and-swap; the revision of this record is
/// the fencing token of what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What.
    pub object: ObjectId,
    /// Which host.
    pub process: ProcessId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// The beat of its lease when it claimed: the claim is worth nothing once that lease has run out.
    pub beat: u64,
}

impl Claim {
    /// Whether it still keeps others away, as the record of its host says.
    ///
    /// A host's record is marked as lost by a write that is checked against the last renewal, so a host that is marked
    /// held its lease for the last time with that beat; by its own clock it has let go before.
    #[must_use]
    pub fn is_held(&self, holder: Option<&Host>) -> bool {
        holder.is_some_and(|host| {
            let is_over = host.lost_at.is_some() && host.beat >= self.beat;
            host.incarnation == self.incarnation && !is_over
        })
    }
}
