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
use crate::instance::{Guest, GuestStore, Live, Warm};
use crate::program::Program;

/// One request, and what it takes to have it answered.
pub(super) struct Job {
    pub(super) program: Arc<Program>,
    pub(super) start: Start,
    /// Where the instance goes when the guest has ended well.
    pub(super) warm: Arc<Warm>,
    pub(super) request: Request<WasiBody>,
    pub(super) is_encrypted: bool,
    /// Where the response goes.
    pub(super) head: oneshot::Sender<Head>,
    /// Given back when the guest has ended.
    pub(super) permit: Permit,
}

/// What a guest's work starts from.
pub(super) enum Start {
    /// A store in which nothing was instantiated yet.
    Fresh(GuestStore),
    /// An instance that has worked before.
    Warm(Live),
}

impl Start {
    /// The store, and an instance in it. What fails leaves nothing to go on with.
    pub(super) async fn live(self, program: &Program) -> Result<Live, CallError> {
        match self {
            Self::Warm(live) => Ok(live),
            Self::Fresh(mut store) => match program.pre().instantiate_async(&mut store).await {
                Ok(instance) => Ok(Live { store, instance }),
                Err(error) => Err(failed(&store, &error)),
            },
        }
    }
}

/// Ends the work of a guest: keeps its instance if all went well, else says why not, in the lattice's terms.
pub(super) fn end(
    live: Live,
    warm: &Arc<Warm>,
    result: wasmtime::Result<()>,
) -> Result<(), CallError> {
    match result {
        Ok(()) => {
            warm.give_back(live);
            Ok(())
        }
        Err(error) => Err(failed(&live.store, &error)),
    }
}

fn failed(store: &Store<Guest>, error: &wasmtime::Error) -> CallError {
    let guest = store.data();
    failure::failed(&guest.actor, Some(&guest.limiter), error)
}
