//! What can be set: for the engine as a whole, and for each actor. Every default is stated here and in
//! docs/manifest.md.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wicker_lattice::call::DEFAULT_TIMEOUT;
use wicker_lattice::id::ObjectId;
use wicker_lattice::secret::{Held, SecretId, SecretSource};
use wicker_lattice::store::record;
use wicker_process::Tasks;

use crate::log::LogSink;

/// How long a warm instance may wait for its next call when nobody said otherwise.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(300);

/// Settings of a whole engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Directory of compiled artifacts, made if it is missing. `None`: nothing is kept.
    ///
    /// Artifacts are machine code, so the directory must belong to this user and be closed to everyone else.
    pub cache: Option<PathBuf>,
    /// Instances alive at once in each of the two wasmtime engines. Each reserves 4 GiB of address space (not memory).
    pub instances: u32,
    /// What compiles, in a process of its own. `None`, or no `cache` to leave code in: threads of this process do.
    pub compiler: Option<CompilerCommand>,
    /// Components compiled at once. By default one a core, at least 2 and at most 4, for each may take a gigabyte.
    pub compiles: usize,
    /// Longest compilation in a process of its own. By default half an hour: on a busy machine it gets little of a core.
    pub compile_timeout: Duration,
    /// How values cross between guests and the wire.
    pub codec: Codec,
    /// Whether the kernel may be asked which pages an instance has touched, where that is safe
    /// ([`Report::pagemap_scan`](crate::Report::pagemap_scan)). Without, they are cleared or given back blindly.
    pub pagemap_scan: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache: None,
            instances: 1000,
            compiler: None,
            compiles: std::thread::available_parallelism().map_or(1, usize::from).clamp(2, 4),
            compile_timeout: Duration::from_secs(1800),
            codec: Codec::Direct,
            pagemap_scan: true,
        }
    }
}

/// A program that does the work of [`compiler_process`](crate::compiler_process) with the last of its arguments, which
/// the engine adds. It is of the same build as this one, mostly this one itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerCommand {
    /// The program.
    pub program: PathBuf,
    /// What comes before the directory.
    pub arguments: Vec<String>,
}

/// How values cross between guests and the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Between the guest's memory and wire bytes in one step.
    Direct,
    /// Through wasmtime's dynamic values: slow, built on stable interfaces only, the oracle of the direct codec.
    Val,
}

/// Bounds of one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, bytes, all its memories together. Default 256 MiB.
    pub memory_bytes: usize,
    /// Longest call. A caller's own deadline may be nearer. Default 10 s.
    pub deadline: Duration,
    /// Calls at once. Default 64.
    pub concurrency: usize,
    /// Calls that may wait for their turn; the next one is answered `overloaded` at once. Default 256.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, deadline: DEFAULT_TIMEOUT, concurrency: 64, queue: 256 }
    }
}

impl From<&record::Limits> for Limits {
    /// Takes what is stated and the defaults for the rest.
    fn from(stated: &record::Limits) -> Self {
        let default = Self::default();
        let memory = stated.memory_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Self {
            memory_bytes: memory.unwrap_or(default.memory_bytes),
            deadline: stated.deadline_ms.map_or(default.deadline, Duration::from_millis),
            concurrency: stated.concurrency.map_or(default.concurrency, |n| n.max(1) as usize),
            queue: stated.queue.map_or(default.queue, |n| n as usize),
        }
    }
}

/// The secrets that one actor may reveal, and where their values are.
#[derive(Debug, Clone)]
pub struct GrantedSecrets {
    /// By the names that the guest knows them by.
    pub names: BTreeMap<String, SecretId>,
    /// Asked each time a guest reveals one.
    pub source: Arc<dyn SecretSource>,
}

impl GrantedSecrets {
    pub(crate) fn granted(&self, name: &str) -> Option<&SecretId> {
        self.names.get(name)
    }
}

impl Default for GrantedSecrets {
    fn default() -> Self {
        Self { names: BTreeMap::new(), source: Arc::new(Held::default()) }
    }
}

/// Settings of one actor.
#[derive(Clone)]
pub struct ActorConfig {
    /// Its name in the lattice, and the source of every call it makes.
    pub id: ObjectId,
    /// What it may use.
    pub limits: Limits,
    /// What it may touch besides its links.
    pub grants: record::Grants,
    /// Instances kept between calls; 0: a fresh instance per call.
    pub warm: usize,
    /// How long such an instance may wait for its next call; then it is dropped, and its memory with it.
    pub idle: Duration,
    /// Its `wasi:config` values.
    pub config: BTreeMap<String, String>,
    /// The secrets that it may reveal.
    pub secrets: GrantedSecrets,
    /// What [`Actor::probe`](crate::Actor::probe) asks; `None`: nothing.
    pub ready: Option<record::Ready>,
    /// Of a singleton: the fencing token of every call that it makes.
    pub fence: Option<u64>,
    /// Where its output, its traps and denials go.
    pub log: Arc<dyn LogSink>,
    /// Owns what goes on when a call has been answered.
    pub tasks: Tasks,
}

impl ActorConfig {
    /// An actor with every default: nothing granted, nothing kept warm.
    #[must_use]
    pub fn new(id: ObjectId, log: Arc<dyn LogSink>) -> Self {
        Self {
            id,
            limits: Limits::default(),
            grants: record::Grants::default(),
            warm: 0,
            idle: DEFAULT_IDLE,
            config: BTreeMap::new(),
            secrets: GrantedSecrets::default(),
            ready: None,
            fence: None,
            log,
            tasks: Tasks::default(),
        }
    }
}

impl fmt::Debug for ActorConfig {
    // `config` and the environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorConfig")
            .field("id", &self.id)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
