//! Loads under way: whoever asks for the same bytes meanwhile waits for the same load.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::load_error::LoadError;
use crate::program::Program;

type Outcome = Result<Arc<Program>, LoadError>;

/// A load, shared by all who wait for it. It goes on as long as one of them does.
pub(crate) type Load = Shared<BoxFuture<'static, Outcome>>;

/// Loads under way, by digest.
#[derive(Default)]
pub(crate) struct Loads(Mutex<HashMap<String, WeakShared<BoxFuture<'static, Outcome>>>>);

impl Loads {
    /// The load of `digest` that is under way, or else the one that `begin` makes.
    pub(crate) fn join(
        &self,
        digest: &str,
        begin: impl FnOnce() -> BoxFuture<'static, Outcome>,
    ) -> Load {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loads.get(digest).and_then(WeakShared::upgrade) {
            return load;
        }
        loads.retain(|_, load| load.upgrade().is_some());
        let load = begin().shared();
        if let Some(weak) = load.downgrade() {
            loads.insert(digest.to_owned(), weak);
        }
        load
    }
}
