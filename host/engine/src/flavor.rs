//! The two wasmtime engines, tuned for many short-lived instances.

use wasmtime::{
    Config, Enabled, Engine, Inlining, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig,
};

use crate::report::Report;

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

/// Which of the two: keeping track of concurrent tasks makes every crossing 2-3 times dearer, so components that
/// have no async types run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// For components without async types.
    Plain,
    /// Keeps track of concurrent tasks.
    Concurrent,
}

/// One for each [`Flavor`].
#[derive(Debug, Clone)]
pub(crate) struct Flavors<T> {
    plain: T,
    concurrent: T,
}

impl<T> Flavors<T> {
    pub(crate) fn make<E>(mut make: impl FnMut(Flavor) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { plain: make(Flavor::Plain)?, concurrent: make(Flavor::Concurrent)? })
    }

    pub(crate) fn get(&self, flavor: Flavor) -> &T {
        match flavor {
            Flavor::Plain => &self.plain,
            Flavor::Concurrent => &self.concurrent,
        }
    }
}

impl<T> From<Flavors<T>> for Vec<T> {
    fn from(Flavors { plain, concurrent }: Flavors<T>) -> Self {
        vec![plain, concurrent]
    }
}

/// Sets up both engines. What they compile depends on these settings, but not on how many instances there may be.
pub(crate) fn engines(report: &Report) -> wasmtime::Result<Flavors<Engine>> {
    Flavors::make(|flavor| {
        let mut config = Config::new();
        config
            .concurrency_support(flavor == Flavor::Concurrent)
            .epoch_interruption(true)
            .cranelift_opt_level(OptLevel::Speed)
            .compiler_inlining(Inlining::Yes)
            .native_unwind_info(false)
            .max_wasm_stack(WASM_STACK_BYTES)
            .async_stack_size(STACK_BYTES)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(report)));
        Engine::new(&config)
    })
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
