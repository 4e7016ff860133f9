//! What compiling a component makes: machine code, and what must be known besides to run it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{Type, World};

use super::component::{adapt, read_world};
use crate::flavor::{Flavor, Flavors};
use crate::load_error::LoadError;

/// The form of [`Facts`]. Rises when they change, so that those in the cache are made again.
const FACTS_VERSION: u32 = 1;

/// A compiled component.
pub(super) struct Artifact {
    /// Machine code, as wasmtime keeps it.
    pub(super) code: Vec<u8>,
    pub(super) facts: Facts,
}

/// What must be known of a component besides its code; kept beside it, so that a cold start reads no WIT.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Facts {
    version: u32,
    is_concurrent: bool,
    pub(super) world: World,
}

impl Artifact {
    /// Compiles `wasm`: seconds for a large component, on all threads of the rayon pool that it is called in.
    pub(super) fn compile(
        engines: &Flavors<wasmtime::Engine>,
        wasm: &[u8],
    ) -> Result<Self, LoadError> {
        let adapted = adapt(wasm)?;
        let wasm = adapted.as_deref().unwrap_or(wasm);
        let world = read_world(wasm)?;
        let facts = Facts { version: FACTS_VERSION, is_concurrent: is_concurrent(&world), world };
        let compile = |facts: Facts| {
            let code = engines.get(facts.flavor()).precompile_component(wasm);
            code.map(|code| Self { code, facts }).map_err(|error| LoadError::Compile(error.into()))
        };
        match compile(facts.clone()) {
            // Async built-ins may hide behind plain types: the engine that knows them decides.
            Err(_) if !facts.is_concurrent => compile(Facts { is_concurrent: true, ..facts }),
            other => other,
        }
    }
}

impl Facts {
    /// What an earlier start kept; `None` if that is of no use any more.
    pub(super) fn read(kept: &[u8]) -> Option<Self> {
        let facts: Self = serde_json::from_slice(kept).ok()?;
        (facts.version == FACTS_VERSION).then_some(facts)
    }

    /// The engine that the code is for.
    pub(super) fn flavor(&self) -> Flavor {
        if self.is_concurrent { Flavor::Concurrent } else { Flavor::Plain }
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
