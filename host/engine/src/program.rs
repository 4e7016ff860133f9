//! A compiled component, linked to everything but its links: what every instance of it starts from.

use std::fmt;

use wasmtime::component::{Component, InstancePre};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::World;

use crate::engine::{Concurrency, Engine};
use crate::export::Exports;
use crate::http;
use crate::import;
use crate::instance::Guest;
use crate::wasi;

/// A component that is ready to run, for any number of actors.
pub struct Program {
    digest: String,
    world: World,
    links: Vec<InterfaceName>,
    concurrency: Concurrency,
    exports: Exports,
    http: Option<http::Entry>,
    pre: InstancePre<Guest>,
}

/// A file cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is something else altogether.
    #[error("not a WebAssembly component (nor a core module for WASI preview 1)")]
    NotWasm,
    /// A core module that imports more than WASI preview 1.
    #[error(
        "cannot make a component of this core module; only modules for WASI preview 1 are adapted"
    )]
    Adapt(#[source] anyhow::Error),
    /// The types of its imports and exports cannot be read.
    #[error("cannot read the component's types")]
    Wit(#[source] anyhow::Error),
    /// They are types that the lattice does not know.
    #[error(transparent)]
    Types(#[from] wicker_lattice::types::from_wit::FromWitError),
    /// It does not validate, or uses a feature that is off.
    #[error("cannot compile the component")]
    Compile(#[source] wasmtime::Error),
    /// It imports what nobody in a lattice could ever serve.
    #[error("cannot link the component: {0}")]
    Unsupported(String),
    /// An import does not have the type that the engine serves.
    #[error("cannot link the component")]
    Link(#[source] wasmtime::Error),
    /// No thread to compile on.
    #[error("cannot start a thread to compile on")]
    Thread(#[source] std::io::Error),
    /// The process is ending.
    #[error("the engine is stopping")]
    Stopped,
}

impl Program {
    pub(crate) fn new(
        engine: &Engine,
        digest: String,
        component: &Component,
        world: World,
        concurrency: Concurrency,
    ) -> Result<Self, LoadError> {
        let codec = engine.config().codec;
        let mut linker = engine.flavor(concurrency).linker.clone();
        let imports = import::add_links(&mut linker, component, &world, codec)?;
        let pre = linker.instantiate_pre(component).map_err(LoadError::Link)?;
        let exports = Exports::find(component, &world, &imports, codec);
        let http = http::Entry::find(&pre);
        Ok(Self { digest, world, links: imports.links, concurrency, exports, http, pre })
    }

    /// SHA-256 of the bytes that were loaded: `sha256:<hex>`.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("sha256:{}", self.digest)
    }

    /// What it imports and exports, WASI included.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The imports that lead through links: all but those that the engine serves itself. Outgoing HTTP is one of them.
    #[must_use]
    pub fn links(&self) -> &[InterfaceName] {
        &self.links
    }

    /// Whether it answers HTTP requests: it exports `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.world.exports.keys().any(wasi::is_http_export)
    }

    /// Whether `wicker run` can run it: it exports `wasi:cli/run`.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.world.exports.keys().any(|name| {
            name.namespace == "wasi" && name.package == "cli" && name.interface == "run"
        })
    }

    pub(crate) fn pre(&self) -> &InstancePre<Guest> {
        &self.pre
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        self.pre.engine()
    }

    pub(crate) fn concurrency(&self) -> Concurrency {
        self.concurrency
    }

    pub(crate) fn http(&self) -> Option<&http::Entry> {
        self.http.as_ref()
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("digest", &self.digest).finish_non_exhaustive()
    }
}
