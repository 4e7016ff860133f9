//! What is called in a component: finds the function, compares signatures, and runs it in an instance.

use wasmtime::component::Component;
use wicker_lattice::call::{Call, CallError, Reply, Status};
use wicker_lattice::types::World;

use crate::actor::Actor;

/// The functions that a component serves, found once.
#[derive(Debug)]
pub(crate) struct Exports {}

impl Exports {
    pub(crate) fn find(_component: &Component, _world: &World) -> Self {
        Self {}
    }
}

/// Serves one call.
pub(crate) async fn serve(_actor: &Actor, call: Call) -> Result<Reply, CallError> {
    Err(CallError::new(Status::Unsupported, format!("{} is not served yet", call.function)))
}
