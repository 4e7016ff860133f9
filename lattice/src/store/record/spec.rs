//! What should be: written by the command line, placements by the reconciler.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::{ObjectId, ProcessId};
use crate::interface::{InterfaceKey, PackageKey};
use crate::types::World;

/// Key `application.<team>.<name>`: what a manifest declared; each deployment is one revision in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The team that owns it.
    pub team: String,
    /// Its name.
    pub name: String,
    /// The version that the manifest states, for people.
    pub version: Option<String>,
    /// Rises with every deployment. Orders commands; hosts refuse older ones.
    pub generation: u64,
    /// The manifest as the user wrote it (files inlined by digest).
    pub manifest: String,
    /// Store keys of everything this deployment wrote, for `undeploy` and for what a later version drops.
    pub keys: Vec<String>,
    /// Its components and providers, and the generation that the spec of each has by now: one that still has an older one
    /// is about to be written.
    #[serde(default)]
    pub objects: BTreeMap<ObjectId, u64>,
    /// RFC 3339 time of this deployment.
    #[serde(default)]
    pub at: Option<String>,
    /// Set where this deployment is an earlier one again.
    #[serde(default)]
    pub restores: Option<Restored>,
    /// The reconciler leaves it as it is.
    #[serde(default)]
    pub is_paused: bool,
}

/// Why an application went back to an earlier deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Which one it is again.
    pub generation: u64,
    /// Why: what failed, or who asked.
    pub reason: String,
}

/// Key `component.<id>`: what should run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Whose it is.
    pub id: ObjectId,
    /// `sha256:<hex>` of the component's bytes, which lie in the object store under this name.
    pub digest: String,
    /// Of the application that declared it; 0 for a bare file.
    pub generation: u64,
    /// `true` for a bare file on a command line: it leaves with its last host.
    #[serde(default)]
    pub is_bare: bool,
    /// What one instance may use.
    #[serde(default)]
    pub limits: Limits,
    /// What it may touch besides its links.
    #[serde(default)]
    pub grants: Grants,
    /// Instances kept between calls; 0: a fresh instance per call.
    #[serde(default)]
    pub warm: u32,
    /// How long such an instance may wait for its next call, milliseconds; `None`: the host's default.
    #[serde(default)]
    pub idle_ms: Option<u64>,
    /// `wasi:config` values.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// The secrets that it may reveal: the name that it knows each by, and the name of its team's secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// How many hosts run it, and which.
    #[serde(default)]
    pub spread: Spread,
    /// How a new version replaces this one.
    #[serde(default)]
    pub rollout: Rollout,
    /// It runs on one host at most, fenced by a [`Claim`](super::Claim).
    #[serde(default)]
    pub is_singleton: bool,
    /// How its host finds out whether it is ready for calls; `None`: it is, once it has started.
    #[serde(default)]
    pub ready: Option<Ready>,
}

/// How a host finds out whether a component is ready for calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// What is asked.
    pub probe: Probe,
    /// From one question to the next, milliseconds.
    pub interval_ms: u64,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u64,
    /// Bad answers in a row after which it is not ready. One good answer, and it is.
    pub failures: u32,
}

/// What a component is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A `GET` of this path; any 2xx is good.
    Path(String),
    /// A function that it exports and that takes nothing. `false` and an error are bad.
    Function {
        /// Of which interface.
        interface: InterfaceKey,
        /// Its name.
        name: String,
    },
}

/// Bounds of one component. `None`: the host's default, stated in docs/manifest.md.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory of one instance, bytes.
    pub memory_bytes: Option<u64>,
    /// Longest call, milliseconds.
    pub deadline_ms: Option<u64>,
    /// Calls at once on one host; the rest queue.
    pub concurrency: Option<u32>,
    /// Calls that may wait for their turn on one host; the rest are `overloaded` at once.
    pub queue: Option<u32>,
}

/// What a component may touch besides its links. Nothing unless listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Command-line arguments, after the program's name.
    pub arguments: Vec<String>,
    /// Directories of the host.
    pub files: Vec<FileGrant>,
    /// What it may reach by sockets of its own, each a [`Reach`](crate::network::Reach).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
}

/// One directory of the host, visible to a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileGrant {
    /// Absolute path on the host.
    pub host: String,
    /// Absolute path that the component sees.
    pub guest: String,
    /// Whether it may write.
    #[serde(default)]
    pub write: bool,
}

/// On how many hosts something runs, and on which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spread {
    /// Hosts that should run it; `None`: every host that matches. Where it scales, at least so many.
    pub replicas: Option<u32>,
    /// That more hosts should run it the busier it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Labels that a host must carry.
    pub labels: BTreeMap<String, String>,
    /// Labels that a host should carry, if one does.
    pub preferred: BTreeMap<String, String>,
    /// The label over whose values replicas are spread evenly: `zone`.
    pub over: Option<String>,
    /// Objects that should run on the same hosts.
    pub near: Vec<Affinity>,
    /// Objects that should not run on the same hosts.
    pub apart: Vec<Affinity>,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            replicas: Some(1),
            scaling: None,
            labels: BTreeMap::new(),
            preferred: BTreeMap::new(),
            over: None,
            near: Vec::new(),
            apart: Vec::new(),
        }
    }
}

/// How a component is scaled by what it has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Hosts that run it at most.
    pub max: u32,
    /// Calls at once, running or waiting, that one replica is meant for.
    pub concurrency: u32,
    /// How long there must be less to do before there are fewer, milliseconds.
    pub after_ms: u64,
}

impl Spread {
    /// The same for so many hosts, as far as it lets itself be scaled.
    #[must_use]
    pub fn scaled(&self, hosts: usize) -> Self {
        let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
        let min = self.replicas.unwrap_or(1);
        let replicas = match &self.scaling {
            Some(scaling) => Some(hosts.clamp(min, scaling.max.max(min))),
            None => self.replicas,
        };
        Self { replicas, ..self.clone() }
    }
}

/// That something should run where another object runs, or where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affinity {
    /// The other object.
    pub to: ObjectId,
    /// Whether it must; otherwise it is a preference.
    #[serde(default)]
    pub is_required: bool,
}

/// How a new version of an object replaces the one that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// Hosts that change at once.
    pub at_once: u32,
    /// Whether the application goes back to its last ready version when this one cannot be started.
    pub rolls_back: bool,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { at_once: 1, rolls_back: true }
    }
}

/// Key `provider.<id>`: native code that should run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Whose it is.
    pub id: ObjectId,
    /// What to run.
    pub source: ProviderSource,
    /// Of the application that declared it; 0 where none did.
    pub generation: u64,
    /// Typed by the implementation.
    #[serde(default)]
    pub config: serde_json::Value,
    /// Whether one process at most may run it.
    pub sharing: Sharing,
    /// As of a component.
    #[serde(default)]
    pub is_singleton: bool,
    /// The host that owns an exclusive provider's data. Claimed once, by compare-and-swap.
    #[serde(default)]
    pub owner: Option<ProcessId>,
    /// How many hosts run it, and which; for an exclusive one, which.
    #[serde(default)]
    pub spread: Spread,
    /// How a new version replaces this one.
    #[serde(default)]
    pub rollout: Rollout,
}

/// Where a provider's code comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderSource {
    /// Linked into `wicker` and run inside the host.
    Builtin(String),
    /// `wicker provider NAME` in a process of its own, launched by the host.
    BuiltinProcess(String),
    /// A command, launched by the host.
    Command(Vec<String>),
    /// Started by somebody else; it registers by itself.
    External,
}

/// Whether several processes may run one provider at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Any number: the state is elsewhere.
    Replicable,
    /// One: the state is in it.
    Exclusive,
}

/// Key `link.<source>.<scope>.<name>`: who serves an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who imports: a component or a provider.
    pub source: ObjectId,
    /// What of it this link covers.
    pub scope: Scope,
    /// `default` until a component uses named imports.
    pub name: String,
    /// Who serves it; of several, one with the greatest share.
    pub target: ObjectId,
    /// Where several targets share the calls: all of them. Empty: `target` serves every call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<Share>,
    /// Typed by the target.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Config whose values are secrets of the source's team: key, and the secret's name. Only the target's process reads them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Longest call through this link, milliseconds; `None`: [`crate::call::DEFAULT_TIMEOUT`].
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Functions (`interface.function`) that may be retried when they may have run.
    #[serde(default)]
    pub idempotent: Vec<String>,
}

/// One of several targets, and how much of the calls it serves: its weight of the sum of all weights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Who.
    pub target: ObjectId,
    /// 0: none.
    pub weight: u32,
}

impl Share {
    /// The shares of what leads to `target`, unless `split` says otherwise.
    #[must_use]
    pub fn all(target: &ObjectId, split: &[Self]) -> Vec<Self> {
        if split.is_empty() {
            vec![Self { target: target.clone(), weight: 1 }]
        } else {
            split.to_vec()
        }
    }

    /// The target with the greatest share; `None` where nobody has one.
    #[must_use]
    pub fn greatest(split: &[Self]) -> Option<&ObjectId> {
        let greatest = split.iter().rev().max_by_key(|share| share.weight)?;
        (greatest.weight > 0).then_some(&greatest.target)
    }
}

impl Link {
    /// Everybody that it leads to.
    pub fn targets(&self) -> impl Iterator<Item = &ObjectId> {
        let only = self.split.is_empty().then_some(&self.target);
        self.split.iter().map(|share| &share.target).chain(only)
    }

    /// Whether it leads to `id`, if only for some calls.
    #[must_use]
    pub fn leads_to(&self, id: &ObjectId) -> bool {
        self.targets().any(|target| target == id)
    }
}

/// What a link covers: a whole package, or one interface (which wins over the package).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scope {
    /// `wasi:keyvalue/store@0.2.0-draft`.
    Interface(InterfaceKey),
    /// `wasi:keyvalue@0.2.0-draft`.
    Package(PackageKey),
}

impl Scope {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Interface(interface) => interface.as_str(),
            Self::Package(package) => package.as_str(),
        }
    }
}

/// Key `route.<listener>.<host>.<path>`: which HTTP requests go to which component. Claimed by creating the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Exact host name in lower case, `*.suffix`, or `None` for every host.
    pub host: Option<String>,
    /// A path prefix that ends at a `/` boundary: `/`, `/api`.
    pub path: String,
    /// Who answers; of several, one with the greatest share.
    pub target: ObjectId,
    /// Where several components share the requests: all of them. Empty: `target` answers every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<Share>,
    /// The application or bare component that claimed it: `team/application`.
    pub claimed_by: String,
    /// Set where only one host's listener answers it (bare files).
    #[serde(default)]
    pub only_on: Option<ProcessId>,
}

/// Key `placement.<process>.<id>`: one component or provider assigned to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Where.
    pub host: ProcessId,
    /// What runs there.
    pub object: ObjectId,
    /// Component or provider.
    pub kind: ObjectKind,
    /// Of the spec that this placement was planned for.
    pub generation: u64,
}

/// Key `types.<digest>`: the world of a component (by the digest of its bytes) or of a provider (by the digest of the
/// world itself, see [`Types::of_provider`]). Written by whoever loads it first; never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Types {
    /// Of what.
    pub digest: String,
    /// What it needs and offers.
    pub world: World,
}

impl Types {
    /// The types of a provider, which has no bytes of its own to go by.
    #[must_use]
    pub fn of_provider(world: &World) -> Self {
        let text = serde_json::to_vec(world).unwrap_or_default();
        let digest = Sha256::digest(text);
        let digest =
            digest.iter().fold("world:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        Self { digest, world: world.clone() }
    }
}

/// What an [`ObjectId`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A WebAssembly component.
    Component,
    /// Native code.
    Provider,
}
