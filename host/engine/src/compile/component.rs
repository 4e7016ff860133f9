//! What is known of a component without compiling it: its world.

use wasmparser::{Parser, Payload};
use wicker_lattice::types::{World, from_wit};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::load_error::LoadError;

/// What a component imports and exports, without compiling it. A core module for WASI preview 1 is adapted first.
///
/// # Errors
/// `wasm` is neither, or its types have no place in a lattice.
pub fn world_of(wasm: &[u8]) -> Result<World, LoadError> {
    let adapted = adapt(wasm)?;
    read_world(adapted.as_deref().unwrap_or(wasm))
}

/// Makes a component of a core module for WASI preview 1; `None` if `wasm` is a component already.
pub(super) fn adapt(wasm: &[u8]) -> Result<Option<Vec<u8>>, LoadError> {
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
        .map_err(|error| LoadError::Adapt(error.into()))
}

/// Whether a core module is a command: it exports `_start`.
fn exports_start(wasm: &[u8]) -> bool {
    let exports = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => Some(exports),
        _ => None,
    });
    exports.flatten().flatten().any(|export| export.name == "_start")
}

/// What a component imports and exports.
pub(super) fn read_world(wasm: &[u8]) -> Result<World, LoadError> {
    match wit_component::decode(wasm).map_err(|error| LoadError::Wit(error.into()))? {
        DecodedWasm::Component(resolve, world) => {
            from_wit::world(&resolve, world).map_err(|error| LoadError::Types(error.to_string()))
        }
        DecodedWasm::WitPackage(..) => Err(LoadError::NotWasm),
    }
}
