//! Loads: whoever asks for bytes that are being loaded waits for the same load, and for bytes that somebody runs gets the
//! same program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::load_error::LoadError;
use crate::program::Program;

type Outcome = Result<Arc<Program>, LoadError>;

/// A load, shared by all who wait for it. It goes on as long as one of them does.
pub(crate) type Load = Shared<BoxFuture<'static, Outcome>>;

/// Loads under way, and what is in use of those that are over, by digest.
#[derive(Default)]
pub(crate) struct Loads(Mutex<HashMap<String, Known>>);

enum Known {
    UnderWay(WeakShared<BoxFuture<'static, Outcome>>),
    Loaded(Weak<Program>),
}

impl Known {
    fn is_alive(&self) -> bool {
        match self {
            Self::UnderWay(load) => load.upgrade().is_some(),
            Self::Loaded(program) => program.strong_count() > 0,
        }
    }

    fn load(&self) -> Option<Load> {
        match self {
            Self::UnderWay(load) => load.upgrade(),
            Self::Loaded(program) => {
                let program = program.upgrade()?;
                Some(std::future::ready(Ok(program)).boxed().shared())
            }
        }
    }
}

impl Loads {
    /// The load of `digest` that is under way or in use, or else the one that `begin` makes.
    pub(crate) fn join(
        &self,
        digest: &str,
        begin: impl FnOnce() -> BoxFuture<'static, Outcome>,
    ) -> Load {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loads.get(digest).and_then(Known::load) {
            return load;
        }
        let load = begin().shared();
        if let Some(weak) = load.downgrade() {
            loads.insert(digest.to_owned(), Known::UnderWay(weak));
        }
        load
    }

    /// Hands `program` to whoever loads `digest` from now on, as long as somebody uses it.
    pub(crate) fn remember(&self, digest: String, program: &Arc<Program>) {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|_, known| known.is_alive());
        loads.insert(digest, Known::Loaded(Arc::downgrade(program)));
    }
}
