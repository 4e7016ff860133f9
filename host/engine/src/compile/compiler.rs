//! Decides how a component becomes code: from the cache, else in a process of its own, else on threads of this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use wasmtime::component::Component;
use wicker_lattice::types::World;

use super::artifact::{Artifact, Facts};
use super::cache::{self, Cache, CacheError};
use super::process;
use crate::config::EngineConfig;
use crate::flavor::{Flavor, Flavors};
use crate::load_error::{Cause, LoadError};

/// How much a compiling thread of this process steps back: a served call gets ten times its share of a core.
const NICE: i32 = 10;

/// Compiles components, a few at once.
pub(crate) struct Compiler {
    engines: Flavors<wasmtime::Engine>,
    cache: Option<Cache>,
    process: Option<process::Settings>,
    slots: Semaphore,
    count: AtomicU64,
}

/// A component as code.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) world: World,
    pub(crate) flavor: Flavor,
}

impl Compiler {
    pub(crate) fn new(
        engines: &Flavors<wasmtime::Engine>,
        config: &EngineConfig,
    ) -> Result<Self, CacheError> {
        let process = config.compiler.as_ref().map(|command| process::Settings {
            command: command.clone(),
            timeout: config.compile_timeout,
        });
        Ok(Self {
            engines: engines.clone(),
            cache: config.cache.as_deref().map(Cache::open).transpose()?,
            process,
            slots: Semaphore::new(config.compiles.max(1)),
            count: AtomicU64::new(0),
        })
    }

    /// How many times a compiler was set to work.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Compiles `wasm`, which is known by `digest`.
    pub(crate) async fn compiled(
        self: Arc<Self>,
        digest: String,
        wasm: Bytes,
    ) -> Result<Compiled, LoadError> {
        let _slot = self.slots.acquire().await.map_err(|_closed| LoadError::Stopped)?;
        self.count.fetch_add(1, Ordering::Relaxed);
        let (Some(cache), Some(process)) = (&self.cache, &self.process) else {
            let compiler = Arc::clone(&self);
            return on_threads(move || compiler.here(&digest, &wasm)).await?;
        };
        process.compile(cache.directory(), wasm).await?;
        let missing = || LoadError::Crashed("it left no code for this engine".to_owned());
        Arc::clone(&self).cached(digest).await?.ok_or_else(missing)
    }

    /// What was compiled of `digest` before, if it was kept.
    pub(crate) async fn cached(
        self: Arc<Self>,
        digest: String,
    ) -> Result<Option<Compiled>, LoadError> {
        let look = move || {
            let (component, facts) = self.cache.as_ref()?.load(&self.engines, &digest)?;
            Some(Compiled::new(component, facts))
        };
        tokio::task::spawn_blocking(look).await.map_err(|_panicked| LoadError::Stopped)
    }

    /// Compiles in this process.
    fn here(&self, digest: &str, wasm: &[u8]) -> Result<Compiled, LoadError> {
        let artifact = Artifact::compile(&self.engines, wasm)?;
        if let Some(cache) = &self.cache {
            match cache.store(&self.engines, digest, &artifact) {
                Ok(()) => {
                    if let Some((component, facts)) = cache.load(&self.engines, digest) {
                        return Ok(Compiled::new(component, facts));
                    }
                }
                Err(error) => tracing::warn!(%digest, %error, "cannot keep the compiled component"),
            }
        }
        let component = cache::fresh(&self.engines, &artifact)?;
        Ok(Compiled::new(component, artifact.facts))
    }
}

impl Compiled {
    fn new(component: Component, facts: Facts) -> Self {
        let flavor = facts.flavor();
        Self { component, world: facts.world, flavor }
    }
}

/// Runs `work` on threads of its own, of low priority. A large component never makes a small one wait.
async fn on_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|_| "wicker-compile".into())
        .start_handler(|_| {
            // Refused in some containers: then compiling is merely less polite.
            let _ = rustix::process::nice(NICE);
        })
        .build()
        .map_err(|error| {
            LoadError::Compiler(Cause::from(&error as &(dyn std::error::Error + 'static)))
        })?;
    let (done, result) = oneshot::channel();
    pool.spawn(move || {
        // Whoever asked may have gone.
        let _ = done.send(work());
    });
    result.await.map_err(|_panicked| LoadError::Stopped)
}
