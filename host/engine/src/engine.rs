//! The engine as a whole: what all programs and actors of a process share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use wasmtime::component::Linker;

use crate::compile::{CacheError, Compiler};
use crate::config::{Codec, EngineConfig};
use crate::digest::digest;
use crate::flavor::{self, Flavors};
use crate::instance::Guest;
use crate::load_error::{Cause, LoadError};
use crate::loads::Loads;
use crate::program::Program;
use crate::report::Report;
use crate::ticker::Ticker;
use crate::wasi;

/// Compiles, caches and instantiates components. Cheap to clone; the last clone stops the epoch thread.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    codec: Codec,
    report: Report,
    /// Everything that components import, but for links.
    linkers: Flavors<Linker<Guest>>,
    compiler: Arc<Compiler>,
    loads: Loads,
    _ticker: Ticker,
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
    Cache(#[from] CacheError),
}

impl Engine {
    /// Sets up both wasmtime engines: milliseconds, so once in a process.
    ///
    /// # Errors
    /// The address space does not hold the pool, a thread does not start, or the artifact directory is not ours alone.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let report = Report::find(&config);
        let failed = |source| EngineError::Wasmtime { instances: config.instances, source };
        let engines = flavor::engines(&report).map_err(failed)?;
        let linkers = Flavors::make(|flavor| {
            let mut linker = Linker::new(engines.get(flavor));
            wasi::add_to_linker(&mut linker, flavor).map(|()| linker)
        });
        let shared = Shared {
            codec: config.codec,
            report,
            linkers: linkers.map_err(failed)?,
            compiler: Arc::new(Compiler::new(&engines, &config)?),
            loads: Loads::default(),
            _ticker: Ticker::start(engines.into()).map_err(EngineError::Thread)?,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Makes `wasm` ready to run: a component, or a core module for WASI preview 1, which is adapted.
    ///
    /// Takes a tenth of a millisecond when a compiled artifact lies in the cache; else it compiles, behind everything
    /// else that runs, for up to ten seconds for the largest (interpreters). Whoever loads the same bytes at the same
    /// time waits for the same compilation; it stops when nobody waits any more. While a program is in use, whoever loads
    /// the same bytes gets the same program.
    ///
    /// # Errors
    /// `wasm` is not a component or is one that this engine cannot run; the message says what to change.
    pub async fn load(&self, wasm: Bytes) -> Result<Arc<Program>, LoadError> {
        let digest = {
            let wasm = wasm.clone();
            let digest = tokio::task::spawn_blocking(move || digest(&wasm)).await;
            digest.map_err(|_panicked| LoadError::Stopped)?
        };
        self.join(&digest, || async { Ok(wasm) }).await
    }

    /// [`Engine::load`] of the component that `digest` names (`sha256:<hex>`), whose bytes are fetched only where there is
    /// neither a program of it in use nor an artifact in the cache. The bytes that come must be those of that digest.
    ///
    /// # Errors
    /// As [`Engine::load`]; [`LoadError::Fetch`] with what `fetch` said.
    pub async fn load_by<F>(
        &self,
        digest: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Program>, LoadError>
    where
        F: Future<Output = Result<Bytes, Cause>> + Send + 'static,
    {
        self.join(digest.strip_prefix("sha256:").unwrap_or(digest), fetch).await
    }

    async fn join<F>(
        &self,
        digest: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Program>, LoadError>
    where
        F: Future<Output = Result<Bytes, Cause>> + Send + 'static,
    {
        let begin = || self.clone().load_new(digest.to_owned(), fetch()).boxed();
        let load = self.0.loads.join(digest, begin);
        load.await
    }

    async fn load_new(
        self,
        digest: String,
        fetch: impl Future<Output = Result<Bytes, Cause>>,
    ) -> Result<Arc<Program>, LoadError> {
        let Shared { codec, linkers, compiler, loads, .. } = &*self.0;
        let compiled = match Arc::clone(compiler).cached(digest.clone()).await? {
            Some(compiled) => compiled,
            None => {
                let wasm = fetch.await.map_err(LoadError::Fetch)?;
                Arc::clone(compiler).compiled(digest.clone(), wasm).await?
            }
        };
        let linker = linkers.get(compiled.flavor).clone();
        let program = Arc::new(Program::new(digest.clone(), compiled, linker, *codec)?);
        loads.remember(digest, &program);
        Ok(program)
    }

    /// What was chosen at start.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// How many components were compiled since the start; those from the cache do not count.
    #[must_use]
    pub fn compilations(&self) -> u64 {
        self.0.compiler.count()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("report", &self.0.report).finish_non_exhaustive()
    }
}
