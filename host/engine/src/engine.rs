//! The two wasmtime engines, tuned for many short-lived instances, and what they share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Inlining, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

use crate::cache::Cache;
use crate::compile::Compilers;
use crate::config::EngineConfig;
use crate::instance::Guest;
use crate::program::{LoadError, Program};
use crate::ticker::Ticker;
use crate::wasi;

/// Deepest wasm stack. Interpreters of other languages recurse on it.
const WASM_STACK_BYTES: usize = 1 << 20;

/// The stack of a call: the guest's, and room for the host code that it calls.
const STACK_BYTES: usize = 3 << 20;

/// Memory that a slot keeps between instances, where the kernel tells which pages are dirty: the working set of an
/// HTTP guest. Without that help the pages would be cleared blindly, which costs more than giving them back.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// The same without the kernel's help.
const KEEP_RESIDENT_BLIND_BYTES: usize = 128 << 10;

/// Memory that each table keeps: one page, which holds the tables of most components and is cleared by hand, without a
/// call of the kernel. Given back instead, it costs two such calls and a page fault for every instance.
const TABLE_KEEP_RESIDENT_BYTES: usize = 4096;

/// Compiles, caches and instantiates components. Cheap to clone; the last clone stops the epoch thread.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    config: EngineConfig,
    report: Report,
    sync: Flavor,
    concurrent: Flavor,
    compilers: Compilers,
    cache: Option<Cache>,
    _ticker: Ticker,
}

/// One of the two wasmtime engines, with a linker that holds everything but links.
pub(crate) struct Flavor {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
}

/// Which of the two: keeping track of concurrent tasks makes every crossing 2-3 times dearer, so components that
/// have no async types run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concurrency {
    Off,
    On,
}

/// What was chosen at start, for the host's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether the kernel finds dirty pages. Needs Linux 6.7, and no swap: a page that is swapped out would not be
    /// cleared, and the next instance could read it (wasmtime #14357).
    pub pagemap_scan: bool,
    /// Why not, if not.
    pub pagemap_scan_refused: Option<&'static str>,
    /// `vm.max_map_count`: the first limit that many components meet, at some 3 mappings each.
    pub map_count_max: Option<u64>,
    /// Instances alive at once, in each wasmtime engine.
    pub instances: u32,
}

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime refuses its settings, or the address space is too small for the pool.
    #[error("cannot set up wasmtime for {instances} instances")]
    Wasmtime {
        /// As configured.
        instances: u32,
        /// What wasmtime says.
        #[source]
        source: wasmtime::Error,
    },
    /// A thread did not start.
    #[error("cannot start the engine's threads")]
    Thread(#[source] std::io::Error),
    /// The artifact directory cannot be trusted or used.
    #[error(transparent)]
    Cache(#[from] crate::cache::CacheError),
}

impl Engine {
    /// Sets up both wasmtime engines: milliseconds, so once in a process.
    ///
    /// # Errors
    /// The address space does not hold the pool, a thread does not start, or the artifact directory is not ours alone.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let report = Report::find(&config);
        let failed = |source| EngineError::Wasmtime { instances: config.instances, source };
        let sync = Flavor::new(Concurrency::Off, &report).map_err(failed)?;
        let concurrent = Flavor::new(Concurrency::On, &report).map_err(failed)?;
        let engines = vec![sync.wasmtime.clone(), concurrent.wasmtime.clone()];
        let ticker = Ticker::start(engines).map_err(EngineError::Thread)?;
        let compilers = Compilers::new(config.compiles);
        let cache = config.cache.as_deref().map(Cache::open).transpose()?;
        let shared = Shared { config, report, sync, concurrent, compilers, cache, _ticker: ticker };
        Ok(Self(Arc::new(shared)))
    }

    /// Makes `wasm` ready to run: a component, or a core module for WASI preview 1, which is adapted.
    ///
    /// Takes a tenth of a millisecond when a compiled artifact lies in the cache; else it compiles, on a thread of low
    /// priority, for up to ten seconds for the largest (interpreters). Loading the same bytes again is cheap but not
    /// free: keep the program.
    ///
    /// # Errors
    /// `wasm` is not a component or is one that this engine cannot run; the message says what to change.
    pub async fn load(&self, wasm: Bytes) -> Result<Arc<Program>, LoadError> {
        crate::compile::load(self, wasm).await
    }

    /// What was chosen at start.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    pub(crate) fn flavor(&self, concurrency: Concurrency) -> &Flavor {
        match concurrency {
            Concurrency::Off => &self.0.sync,
            Concurrency::On => &self.0.concurrent,
        }
    }

    pub(crate) fn compilers(&self) -> &Compilers {
        &self.0.compilers
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }
}

impl Flavor {
    fn new(concurrency: Concurrency, report: &Report) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .concurrency_support(concurrency == Concurrency::On)
            .epoch_interruption(true)
            .cranelift_opt_level(OptLevel::Speed)
            .compiler_inlining(Inlining::Yes)
            .native_unwind_info(false)
            .max_wasm_stack(WASM_STACK_BYTES)
            .async_stack_size(STACK_BYTES)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(report)));
        let wasmtime = wasmtime::Engine::new(&config)?;
        let mut linker = Linker::new(&wasmtime);
        wasi::add_to_linker(&mut linker, concurrency)?;
        Ok(Self { wasmtime, linker })
    }
}

/// A component made by common tools holds three core modules and two tables: with wasmtime's defaults, a pool of 1000
/// is full after 333 instances.
fn pool(report: &Report) -> PoolingAllocationConfig {
    let instances = report.instances;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .max_unused_warm_slots(instances)
        .max_tables_per_module(8)
        .table_elements(100_000)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
    if report.pagemap_scan {
        pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(KEEP_RESIDENT_BYTES);
    } else {
        pool.linear_memory_keep_resident(KEEP_RESIDENT_BLIND_BYTES);
    }
    pool
}

impl Report {
    fn find(config: &EngineConfig) -> Self {
        let pagemap_scan_refused = if !PoolingAllocationConfig::is_pagemap_scan_available() {
            Some("the kernel has no PAGEMAP_SCAN (Linux 6.7)")
        } else if has_swap() {
            Some("the machine swaps")
        } else {
            None
        };
        let map_count = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        Self {
            pagemap_scan: pagemap_scan_refused.is_none(),
            pagemap_scan_refused,
            map_count_max: map_count.and_then(|text| text.trim().parse().ok()),
            instances: config.instances,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instances, pagemap scan ", self.instances)?;
        match self.pagemap_scan_refused {
            None => f.write_str("on")?,
            Some(why) => write!(f, "off: {why}")?,
        }
        match self.map_count_max {
            Some(count) => write!(f, ", vm.max_map_count {count}"),
            None => Ok(()),
        }
    }
}

/// Whether memory may be swapped out; `true` if that cannot be told.
fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").map_or(true, |text| text.lines().count() > 1)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("report", &self.0.report).finish_non_exhaustive()
    }
}
