//! Everything that goes into one call of a guest's HTTP entry.

use std::sync::Arc;

use http::Request;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::WasiBody;
use wicker_lattice::call::CallError;

use super::exchange::Head;
use crate::admission::Permit;
use crate::failure;
use crate::instance::Guest;
use crate::program::Program;

/// One request, and what it takes to have it answered.
pub(super) struct Job {
    pub(super) program: Arc<Program>,
    pub(super) store: Store<Guest>,
    pub(super) request: Request<WasiBody>,
    pub(super) is_encrypted: bool,
    /// Where the response goes.
    pub(super) head: oneshot::Sender<Head>,
    /// Given back when the guest has ended.
    pub(super) permit: Permit,
}

/// How a guest ended, in the lattice's terms.
pub(super) fn end(store: &Store<Guest>, result: wasmtime::Result<()>) -> Result<(), CallError> {
    result.map_err(|error| {
        let guest = store.data();
        failure::failed(&guest.actor, Some(&guest.limiter), &error)
    })
}
