//! From the bytes of a component to a program, away from the threads that serve calls.

use std::collections::BTreeMap;
use std::hash::Hash as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, oneshot};
use wasmparser::{Parser, Payload};
use wasmtime::component::Component;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{Type, World, from_wit};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::cache::Cache;
use crate::engine::{Concurrency, Engine};
use crate::program::{LoadError, Program};

/// The form of [`Facts`]. Rises when they change, so that those in the cache are made again.
const FACTS_VERSION: u32 = 1;

/// How much a compiling thread steps back: a served call gets ten times its share of a core.
const NICE: i32 = 10;

/// The threads that compile.
#[derive(Debug)]
pub(crate) struct Compilers {
    slots: Semaphore,
    threads: usize,
}

/// What must be known of a component besides its code; kept beside the artifact, so that a cold start reads no WIT.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Facts {
    version: u32,
    is_concurrent: bool,
    world: World,
}

impl Compilers {
    pub(crate) fn new(at_once: usize) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { slots: Semaphore::new(at_once.max(1)), threads }
    }

    /// Runs `work` on threads of its own, of low priority. A large component never makes a small one wait.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LoadError> {
        let _slot = self.slots.acquire().await.map_err(|_closed| LoadError::Stopped)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|_| "wicker-compile".into())
            .start_handler(|_| step_back())
            .build()
            .map_err(|error| LoadError::Thread(std::io::Error::other(error)))?;
        let (done, result) = oneshot::channel();
        pool.spawn(move || {
            // Whoever asked may have gone.
            let _ = done.send(work());
        });
        result.await.map_err(|_panicked| LoadError::Stopped)
    }
}

fn step_back() {
    // Refused in some containers: then compiling is merely less polite.
    let _ = rustix::process::nice(NICE);
}

/// What a component imports and exports, without compiling it. A core module for WASI preview 1 is adapted first.
///
/// # Errors
/// `wasm` is neither, or its types have no place in a lattice.
pub fn world_of(wasm: &[u8]) -> Result<World, LoadError> {
    let adapted = adapt(wasm)?;
    read_world(adapted.as_deref().unwrap_or(wasm))
}

/// See [`Engine::load`].
pub(crate) async fn load(engine: &Engine, wasm: Bytes) -> Result<Arc<Program>, LoadError> {
    let (cached, digest) = {
        let (engine, wasm) = (engine.clone(), wasm.clone());
        let look = move || {
            let digest = hex(&Sha256::digest(&wasm));
            (from_cache(&engine, &digest), digest)
        };
        tokio::task::spawn_blocking(look).await.map_err(|_panicked| LoadError::Stopped)?
    };
    let (component, facts) = match cached {
        Some(found) => found,
        None => {
            let (for_work, digest) = (engine.clone(), digest.clone());
            engine.compilers().run(move || compile(&for_work, &digest, &wasm)).await??
        }
    };
    let concurrency = facts.concurrency();
    Program::new(engine, digest, &component, facts.world, concurrency).map(Arc::new)
}

/// The component and its facts, if an earlier start compiled them for an equal engine.
fn from_cache(engine: &Engine, digest: &str) -> Option<(Component, Facts)> {
    let cache = engine.cache()?;
    let facts: Facts = serde_json::from_slice(&cache.bytes(&facts_name(digest))?).ok()?;
    if facts.version != FACTS_VERSION {
        return None;
    }
    let wasmtime = &engine.flavor(facts.concurrency()).wasmtime;
    Some((cache.component(wasmtime, &artifact_name(wasmtime, digest))?, facts))
}

fn compile(engine: &Engine, digest: &str, wasm: &[u8]) -> Result<(Component, Facts), LoadError> {
    let adapted = adapt(wasm)?;
    let wasm = adapted.as_deref().unwrap_or(wasm);
    let world = read_world(wasm)?;
    let facts = Facts { version: FACTS_VERSION, is_concurrent: is_concurrent(&world), world };
    let (artifact, facts) = match precompile(engine, wasm, &facts) {
        // Async built-ins may hide behind plain types: the engine that knows them decides.
        Err(_) if !facts.is_concurrent => {
            let facts = Facts { is_concurrent: true, ..facts };
            (precompile(engine, wasm, &facts)?, facts)
        }
        other => (other?, facts),
    };
    let wasmtime = &engine.flavor(facts.concurrency()).wasmtime;
    if let Some(cache) = engine.cache() {
        let name = artifact_name(wasmtime, digest);
        match keep(cache, digest, &name, (&artifact, &facts)) {
            Ok(()) => {
                if let Some(component) = cache.component(wasmtime, &name) {
                    return Ok((component, facts));
                }
            }
            Err(error) => tracing::warn!(%digest, %error, "cannot keep the compiled component"),
        }
    }
    Ok((crate::cache::component_from_bytes(wasmtime, &artifact)?, facts))
}

fn precompile(engine: &Engine, wasm: &[u8], facts: &Facts) -> Result<Vec<u8>, LoadError> {
    let wasmtime = &engine.flavor(facts.concurrency()).wasmtime;
    wasmtime.precompile_component(wasm).map_err(LoadError::Compile)
}

/// The artifact first: facts without one are of no use.
fn keep(
    cache: &Cache,
    digest: &str,
    name: &str,
    (artifact, facts): (&[u8], &Facts),
) -> std::io::Result<()> {
    cache.keep(name, artifact)?;
    cache.keep(&facts_name(digest), &serde_json::to_vec(facts)?)
}

fn facts_name(digest: &str) -> String {
    format!("{digest}.facts.json")
}

fn artifact_name(engine: &wasmtime::Engine, digest: &str) -> String {
    let mut hasher = Sha256::new();
    engine.precompile_compatibility_hash().hash(&mut Sink(&mut hasher));
    format!("{digest}-{}.cwasm", &hex(&hasher.finalize())[..16])
}

/// Makes a component of a core module for WASI preview 1; `None` if `wasm` is a component already.
fn adapt(wasm: &[u8]) -> Result<Option<Vec<u8>>, LoadError> {
    match wasm.get(..8) {
        Some(b"\0asm\x01\0\0\0") => {}
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => return Ok(None),
        _ => return Err(LoadError::NotWasm),
    }
    let adapter = if exports_start(wasm) {
        wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let name = wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    ComponentEncoder::default()
        .validate(true)
        .module(wasm)
        .and_then(|encoder| encoder.adapter(name, adapter))
        .and_then(|mut encoder| encoder.encode())
        .map(Some)
        .map_err(LoadError::Adapt)
}

/// Whether a core module is a command: it exports `_start`.
fn exports_start(wasm: &[u8]) -> bool {
    let exports = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => Some(exports),
        _ => None,
    });
    exports.flatten().flatten().any(|export| export.name == "_start")
}

fn read_world(wasm: &[u8]) -> Result<World, LoadError> {
    match wit_component::decode(wasm).map_err(LoadError::Wit)? {
        DecodedWasm::Component(resolve, world) => Ok(from_wit::world(&resolve, world)?),
        DecodedWasm::WitPackage(..) => Err(LoadError::NotWasm),
    }
}

/// Whether a component needs the engine that keeps track of concurrent tasks.
fn is_concurrent(world: &World) -> bool {
    let mut interfaces = world.imports.keys().chain(world.exports.keys());
    if interfaces.any(is_wasi_3) {
        return true;
    }
    let functions = world.imports.values().chain(world.exports.values()).flat_map(BTreeMap::values);
    functions.into_iter().any(|function| {
        let params = function.params.iter().map(|(_, ty)| ty);
        function.is_async || params.chain(&function.result).any(has_async)
    })
}

/// WASI 0.3 is served by that engine only, also where a component uses nothing async of it.
fn is_wasi_3(name: &InterfaceName) -> bool {
    let version = name.version.as_ref();
    name.namespace == "wasi"
        && version.is_some_and(|version| version.major > 0 || version.minor > 2)
}

fn has_async(ty: &Type) -> bool {
    match ty {
        Type::Stream(_) | Type::Future(_) => true,
        Type::List(inner) | Type::Option(inner) => has_async(inner),
        Type::Record(fields) => fields.iter().any(|(_, ty)| has_async(ty)),
        Type::Tuple(types) => types.iter().any(has_async),
        Type::Variant(cases) => cases.iter().filter_map(|(_, ty)| ty.as_ref()).any(has_async),
        Type::Result { ok, err } => ok.iter().chain(err).any(|ty| has_async(ty)),
        _ => false,
    }
}

impl Facts {
    fn concurrency(&self) -> Concurrency {
        if self.is_concurrent { Concurrency::On } else { Concurrency::Off }
    }
}

/// Lets `std::hash` feed a cryptographic hash.
struct Sink<'a>(&'a mut Sha256);

impl std::hash::Hasher for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
