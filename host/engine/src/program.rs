//! A compiled component, linked to everything but its links: what every instance of it starts from.

use std::fmt;

use wasmtime::component::{InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p3::bindings::ServiceIndices;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::World;

use crate::compile::Compiled;
use crate::config::Codec;
use crate::export::Exports;
use crate::flavor::Flavor;
use crate::import;
use crate::instance::Guest;
use crate::load_error::LoadError;
use crate::wasi;

/// A component that is ready to run, for any number of actors.
pub struct Program {
    digest: String,
    world: World,
    links: Vec<InterfaceName>,
    flavor: Flavor,
    exports: Exports,
    http: Option<HttpEntry>,
    pre: InstancePre<Guest>,
}

/// Where a component takes HTTP requests: found when it is loaded, so that a request looks nothing up.
pub(crate) enum HttpEntry {
    /// `wasi:http/incoming-handler@0.2`.
    V2(ProxyIndices),
    /// `wasi:http/handler@0.3`.
    V3(ServiceIndices),
}

impl HttpEntry {
    /// The entry of a component, if it has one that can be called. Of two, the newer.
    fn find(pre: &InstancePre<Guest>) -> Option<Self> {
        let v3 = ServiceIndices::new(pre).ok().map(Self::V3);
        v3.or_else(|| ProxyIndices::new(pre).ok().map(Self::V2))
    }
}

impl Program {
    /// Links `compiled`, known by `digest`, through `linker`, which serves everything but links.
    pub(crate) fn new(
        digest: String,
        compiled: Compiled,
        mut linker: Linker<Guest>,
        codec: Codec,
    ) -> Result<Self, LoadError> {
        let Compiled { component, world, flavor } = compiled;
        let imports = import::add_links(&mut linker, &component, &world, codec)?;
        let pre = linker.instantiate_pre(&component);
        let pre = pre.map_err(|error| LoadError::Link(error.into()))?;
        let exports = Exports::find(&component, &world, &imports, codec);
        let http = HttpEntry::find(&pre);
        Ok(Self { digest, world, links: imports.links, flavor, exports, http, pre })
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

    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(crate) fn http(&self) -> Option<&HttpEntry> {
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
