//! WASI as components meet it: everything they may import is here, and whatever was not granted is denied, once with
//! a line in the component's log that says what would grant it.
//!
//! [`Template`] is what one actor may touch, shared by its instances; [`Wasi`] is the state of one instance. The
//! order of the rest: what is linked ([`linker`]), what is denied ([`denial`]), where output goes ([`output`]).

mod config;
mod denial;
mod linker;
mod logging;
mod network;
mod output;
mod secrets;
mod template;

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};
use wicker_lattice::interface::InterfaceName;

pub(crate) use denial::Denial;
pub(crate) use linker::add_to_linker;
pub(crate) use template::{Stdio, Template};

/// Host resources that one instance may hold at once: streams, pollables, headers, files.
const RESOURCES_MAX: usize = 16_384;

/// The WASI state of one instance.
///
/// Made for every call, so it costs next to nothing: the greater part is made when the guest first asks for something
/// of it, which an HTTP handler rarely does.
pub(crate) struct Wasi {
    ctx: Option<WasiCtx>,
    table: ResourceTable,
    http: WasiHttpCtx,
}

impl Wasi {
    pub(crate) fn new() -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { ctx: None, table, http: WasiHttpCtx::new() }
    }

    /// The resources that the guest holds handles of.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// WASI as the actor of `template` has it.
    pub(crate) fn view(&mut self, template: &Arc<Template>) -> WasiCtxView<'_> {
        let ctx = self.ctx.get_or_insert_with(|| template.context());
        WasiCtxView { ctx, table: &mut self.table }
    }

    /// HTTP, with `hooks` for what goes out.
    pub(crate) fn http<'a>(&'a mut self, hooks: &'a mut dyn WasiHttpHooks) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks }
    }
}

/// Whether [`add_to_linker`] serves the import `name`; all others lead through links.
pub(crate) fn is_served(name: &InterfaceName) -> bool {
    let package = name.package.as_str();
    let is_secrets =
        package == "secrets" && matches!(name.namespace.as_str(), "wicker" | "wasmcloud");
    is_secrets
        || name.namespace == "wasi"
            && matches!(
                package,
                "io" | "clocks"
                    | "random"
                    | "cli"
                    | "filesystem"
                    | "sockets"
                    | "http"
                    | "blobstore"
                    | "config"
                    | "logging"
            )
}

/// Whether an import that the engine serves leads through a link in the end: outgoing HTTP, what middleware calls, and
/// blobs.
pub(crate) fn needs_link(name: &InterfaceName) -> bool {
    match (name.namespace.as_str(), name.package.as_str(), name.interface.as_str()) {
        ("wasi", "http", interface) => {
            matches!(interface, "outgoing-handler" | "client" | "handler")
        }
        ("wasi", "blobstore", interface) => matches!(interface, "blobstore" | "container"),
        _ => false,
    }
}

/// Whether an export answers HTTP requests.
pub(crate) fn is_http_export(name: &InterfaceName) -> bool {
    is_http(name) && matches!(name.interface.as_str(), "incoming-handler" | "handler")
}

fn is_http(name: &InterfaceName) -> bool {
    name.namespace == "wasi" && name.package == "http"
}
