//! WASI as guests see it: everything is there, and everything is denied unless it was granted.

use wasmtime::component::Linker;
use wicker_lattice::interface::InterfaceName;

use crate::config::ActorConfig;
use crate::engine::Concurrency;
use crate::instance::Guest;

/// What every instance of one actor starts from: granted directories, environment, configuration. Made once.
#[derive(Debug)]
pub(crate) struct Template {}

impl Template {
    /// Fails where a granted directory cannot be opened.
    pub(crate) fn new(_config: &ActorConfig) -> anyhow::Result<Self> {
        Ok(Self {})
    }
}

/// WASI's state in one instance.
#[derive(Debug)]
pub(crate) struct Wasi {}

impl Wasi {
    pub(crate) fn new(_template: &Template) -> Self {
        Self {}
    }
}

/// Gives `linker` everything that the engine serves itself.
pub(crate) fn add_to_linker(
    _linker: &mut Linker<Guest>,
    _concurrency: Concurrency,
) -> wasmtime::Result<()> {
    Ok(())
}

/// Whether [`add_to_linker`] serves the import `name`; all others lead through links.
pub(crate) fn is_served(name: &InterfaceName) -> bool {
    name.namespace == "wasi"
        && matches!(
            name.package.as_str(),
            "io" | "clocks"
                | "random"
                | "cli"
                | "filesystem"
                | "sockets"
                | "http"
                | "config"
                | "logging"
        )
}

/// Whether an import that the engine serves leads through a link in the end: outgoing HTTP.
pub(crate) fn needs_link(name: &InterfaceName) -> bool {
    name.namespace == "wasi"
        && name.package == "http"
        && matches!(name.interface.as_str(), "outgoing-handler" | "client")
}

/// Whether an export answers HTTP requests.
pub(crate) fn is_http_export(name: &InterfaceName) -> bool {
    name.namespace == "wasi"
        && name.package == "http"
        && matches!(name.interface.as_str(), "incoming-handler" | "handler")
}
