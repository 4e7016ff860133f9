//! The state behind one instance: everything that the host functions of a guest reach.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;
use wasmtime::component::Instance;
use wicker_lattice::call::TraceContext;
use wicker_lattice::link::Links;

use crate::config::ActorConfig;
use crate::deadline::Deadline;
use crate::limits::Limiter;
use crate::tokens::Tokens;
use crate::wasi::{Template, Wasi};

/// What a store holds.
pub(crate) struct Guest {
    /// WASI's own state.
    pub(crate) wasi: Wasi,
    /// The call that the instance serves.
    pub(crate) call: CallScope,
    /// Whose instance it is.
    pub(crate) actor: Arc<ActorConfig>,
    /// What it may still allocate.
    pub(crate) limiter: Limiter,
    /// Its handles of resources behind links.
    pub(crate) tokens: Tokens,
}

/// What the calls that a guest makes inherit from the call that it serves.
#[derive(Debug, Clone)]
pub(crate) struct CallScope {
    /// When the caller stops waiting.
    pub(crate) deadline: Deadline,
    /// W3C trace context, where the caller is traced.
    pub(crate) trace: Option<TraceContext>,
    /// The links as they were when the call arrived: a re-point never changes a target half-way.
    pub(crate) links: Arc<Links>,
    /// What the actor may touch besides its links.
    pub(crate) template: Arc<Template>,
}

/// Instances of one actor that are kept between calls.
#[derive(Default)]
pub(crate) struct Warm {
    kept: Mutex<Vec<Live>>,
    kept_max: usize,
}

impl Warm {
    pub(crate) fn new(kept_max: usize) -> Self {
        Self { kept: Mutex::default(), kept_max }
    }

    /// An instance that is ready for `call`, if one is left.
    pub(crate) fn take(&self, call: CallScope) -> Result<Live, CallScope> {
        if self.kept_max == 0 {
            return Err(call);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(mut live) => {
                live.store.data_mut().call = call;
                Ok(live)
            }
            None => Err(call),
        }
    }

    /// Keeps an instance whose call ended well. The one used last is used next: its memory is still in the caches. One
    /// that failed is simply dropped.
    pub(crate) fn give_back(&self, mut live: Live) {
        if self.kept_max == 0 {
            return;
        }
        live.store.data_mut().tokens.end_call();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < self.kept_max {
            kept.push(live);
        }
    }

    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }
}

/// An instance that can be called. Dropping it stops whatever it does.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
}
