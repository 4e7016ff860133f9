//! The state behind one instance: everything that the host functions of a guest reach.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant as Moment, sleep_until};
use wasmtime::component::Instance;
use wasmtime::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};
use wicker_lattice::call::TraceContext;
use wicker_lattice::link::Links;
use wicker_process::Tasks;

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
    kept: Mutex<Waiting>,
    kept_max: usize,
    idle: Duration,
    tasks: Tasks,
}

/// Instances that wait, the one used last at the end.
#[derive(Default)]
struct Waiting {
    instances: Vec<Kept>,
    /// Somebody drops those that wait for too long.
    is_tended: bool,
}

/// An instance that waits for its next call.
struct Kept {
    since: Moment,
    live: Live,
}

impl Warm {
    /// Keeps so many instances, each for `idle` after its last call. `tasks` own what drops them then.
    pub(crate) fn new(kept_max: usize, idle: Duration, tasks: &Tasks) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), kept_max, idle, tasks: tasks.clone() })
    }

    /// Keeps none.
    pub(crate) fn none() -> Arc<Self> {
        Arc::default()
    }

    /// An instance that is ready for `call`, if one is left.
    pub(crate) fn take(&self, call: CallScope) -> Result<Live, CallScope> {
        if self.kept_max == 0 {
            return Err(call);
        }
        let kept = self.lock().instances.pop();
        match kept {
            Some(Kept { mut live, .. }) => {
                live.store.data_mut().call = call;
                Ok(live)
            }
            None => Err(call),
        }
    }

    /// Keeps an instance whose call ended well. The one used last is used next: its memory is still in the caches. One
    /// that failed is simply dropped.
    pub(crate) fn give_back(self: &Arc<Self>, mut live: Live) {
        if self.kept_max == 0 {
            return;
        }
        live.store.data_mut().tokens.end_call();
        let mut kept = self.lock();
        if kept.instances.len() < self.kept_max {
            kept.instances.push(Kept { since: Moment::now(), live });
            if !std::mem::replace(&mut kept.is_tended, true) {
                self.tend();
            }
        }
    }

    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut self.lock().instances);
        drop(kept);
    }

    /// How many are kept now.
    pub(crate) fn len(&self) -> usize {
        self.lock().instances.len()
    }

    /// Drops each instance when it has waited too long, as long as there is one.
    fn tend(self: &Arc<Self>) {
        let (warm, idle, tasks) = (Arc::downgrade(self), self.idle, self.tasks.clone());
        self.tasks.spawn_work(async move {
            let mut next = Moment::now() + idle;
            loop {
                tokio::select! {
                    // Cancel-safe, both.
                    () = tasks.stopping() => return,
                    () = sleep_until(next) => {}
                }
                let Some(warm) = warm.upgrade() else { return };
                match warm.drop_idle(Moment::now()) {
                    Some(first) => next = first + idle,
                    None => return,
                }
            }
        });
    }

    /// Since when the instance waits that will be too old first, of those that are left.
    fn drop_idle(&self, now: Moment) -> Option<Moment> {
        let mut kept = self.lock();
        let is_idle = |each: &Kept| now.duration_since(each.since) >= self.idle;
        let idle = kept.instances.partition_point(is_idle);
        let idle: Vec<Kept> = kept.instances.drain(..idle).collect();
        let first = kept.instances.first().map(|each| each.since);
        kept.is_tended = first.is_some();
        drop(kept);
        drop(idle);
        first
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instance that can be called. Dropping it stops whatever it does.
pub(crate) struct Live {
    pub(crate) store: GuestStore,
    pub(crate) instance: Instance,
}
