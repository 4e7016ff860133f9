//! The state behind one instance: everything that the host functions of a guest reach.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Instance;
use wasmtime::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};
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
    /// Set when the store is dropped, before anything in it is: what ends then was cut off.
    pub(crate) is_over: Arc<AtomicBool>,
}

impl Guest {
    /// What the actor may touch.
    pub(crate) fn template(&self) -> &Arc<Template> {
        &self.call.template
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view(&self.call.template)
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.wasi.http(&mut self.call)
    }
}

/// A store that says so before it goes, see [`Guest::is_over`].
pub(crate) struct GuestStore(Store<Guest>);

impl GuestStore {
    pub(crate) fn new(engine: &wasmtime::Engine, guest: Guest) -> Self {
        Self(Store::new(engine, guest))
    }
}

impl Drop for GuestStore {
    fn drop(&mut self) {
        self.0.data().is_over.store(true, Ordering::Relaxed);
    }
}

impl Deref for GuestStore {
    type Target = Store<Guest>;

    fn deref(&self) -> &Store<Guest> {
        &self.0
    }
}

impl DerefMut for GuestStore {
    fn deref_mut(&mut self) -> &mut Store<Guest> {
        &mut self.0
    }
}

impl AsContext for GuestStore {
    type Data = Guest;

    fn as_context(&self) -> StoreContext<'_, Guest> {
        self.0.as_context()
    }
}

impl AsContextMut for GuestStore {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Guest> {
        self.0.as_context_mut()
    }
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
    pub(crate) store: GuestStore,
    pub(crate) instance: Instance,
}
