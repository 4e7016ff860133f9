//! Resources that this process keeps for its callers: transactions, cursors, whatever a token cannot say.
//!
//! Each is known by a nonce that nobody can guess, belongs to the source that it was given to, and has a lease that every
//! call with it renews. It goes when its caller drops it, gives it up as an `own` parameter, or leaves it alone for as long
//! as its lease; then the value is dropped, which is where a transaction is rolled back. A handle that stands for nothing
//! any more, or for something of another caller's, is refused as [`Status::Gone`](wicker_lattice::call::Status::Gone).
//! Who keeps it is this process alone: when it ends, all that it kept is gone.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::value::{Fault, Handle, PinnedHandle};

use crate::handle::Resource;
use crate::scope::Scope;

/// A resource that this process keeps, as the functions of an interface see it. While one is held its lease does not end.
pub struct Pinned<T> {
    handle: PinnedHandle,
    value: Arc<T>,
    /// `None` once the caller has given it up.
    _use: Option<Use>,
}

/// Nothing more can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// As much is kept as may be.
    #[error("{0} handles are kept already (limits.handles of the provider)")]
    Full(usize),
    /// There is no call under way whose caller could get the handle.
    #[error("a resource is kept for the caller of a call, and there is none")]
    NoCaller,
}

impl<T: Send + Sync + 'static> Pinned<T> {
    /// Keeps `value` for the caller of the call under way, until nobody has used it for `lease`.
    ///
    /// # Errors
    /// As [`PinError`] says; the value is dropped.
    pub fn new(value: T, lease: Duration) -> Result<Self, PinError> {
        let scope = Scope::current().ok_or(PinError::NoCaller)?;
        let value = Arc::new(value);
        let (handle, using) = scope.pins.keep(Arc::clone(&value) as _, scope.source, lease)?;
        Ok(Self { handle, value, _use: Some(using) })
    }

    /// The value itself, for what must outlive the handle.
    #[must_use]
    pub fn share(&self) -> Arc<T> {
        Arc::clone(&self.value)
    }
}

impl<T: Send + Sync + 'static> Resource for Pinned<T> {
    fn to_handle(&self) -> Handle {
        Handle::Pinned(self.handle)
    }

    fn lent(handle: Handle) -> Result<Self, Fault> {
        let (handle, scope) = mine(handle)?;
        let (value, using) = scope.pins.lend(handle, &scope.source)?;
        Ok(Self { handle, value, _use: Some(using) })
    }

    fn given(handle: Handle) -> Result<Self, Fault> {
        let (handle, scope) = mine(handle)?;
        let value = scope.pins.give(handle, &scope.source)?;
        Ok(Self { handle, value, _use: None })
    }
}

fn mine(handle: Handle) -> Result<(PinnedHandle, Scope), Fault> {
    let Handle::Pinned(handle) = handle else { return Err(Fault::NotA("handle")) };
    Ok((handle, Scope::current().ok_or(Fault::HandleGone)?))
}

impl<T> Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> fmt::Debug for Pinned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The nonce is a secret of the caller's.
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

type Nonce = [u8; 16];

/// All that one running provider keeps.
pub(crate) struct Pins {
    owner: ProcessId,
    kept_max: usize,
    kept: Mutex<HashMap<Nonce, Kept>>,
}

/// One thing that is kept.
struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    source: ObjectId,
    lease: Duration,
    /// Calls that work with it now.
    users: usize,
    /// When the last of them ended.
    idle_since: Instant,
}

impl Kept {
    fn has_expired(&self, now: Instant) -> bool {
        self.users == 0 && now.saturating_duration_since(self.idle_since) >= self.lease
    }
}

/// A call that works with something kept, until it is dropped.
struct Use {
    pins: Arc<Pins>,
    nonce: Nonce,
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(kept) = self.pins.lock().get_mut(&self.nonce) {
            kept.users = kept.users.saturating_sub(1);
            kept.idle_since = Instant::now();
        }
    }
}

impl Pins {
    pub(crate) fn new(owner: ProcessId, kept_max: u32) -> Arc<Self> {
        Arc::new(Self { owner, kept_max: kept_max as usize, kept: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Nonce, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(
        self: &Arc<Self>,
        value: Arc<dyn Any + Send + Sync>,
        source: ObjectId,
        lease: Duration,
    ) -> Result<(PinnedHandle, Use), PinError> {
        let nonce = nonce();
        let kept = Kept { value, source, lease, users: 1, idle_since: Instant::now() };
        let mut all = self.lock();
        if all.len() >= self.kept_max {
            return Err(PinError::Full(self.kept_max));
        }
        all.insert(nonce, kept);
        drop(all);
        let using = Use { pins: Arc::clone(self), nonce };
        Ok((PinnedHandle { owner: self.owner, nonce }, using))
    }

    fn lend<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        handle: PinnedHandle,
        source: &ObjectId,
    ) -> Result<(Arc<T>, Use), Fault> {
        let mut all = self.lock();
        let kept = self.find(&mut all, handle, source)?;
        let value = Arc::clone(&kept.value).downcast().map_err(|_other| Fault::HandleGone)?;
        kept.users += 1;
        Ok((value, Use { pins: Arc::clone(self), nonce: handle.nonce }))
    }

    fn give<T: Send + Sync + 'static>(
        &self,
        handle: PinnedHandle,
        source: &ObjectId,
    ) -> Result<Arc<T>, Fault> {
        let mut all = self.lock();
        let kept = self.find(&mut all, handle, source)?;
        let value = Arc::clone(&kept.value).downcast().map_err(|_other| Fault::HandleGone)?;
        all.remove(&handle.nonce);
        Ok(value)
    }

    fn find<'a>(
        &self,
        all: &'a mut HashMap<Nonce, Kept>,
        handle: PinnedHandle,
        source: &ObjectId,
    ) -> Result<&'a mut Kept, Fault> {
        let now = Instant::now();
        let is_valid = |kept: &&mut Kept| {
            handle.owner == self.owner && kept.source == *source && !kept.has_expired(now)
        };
        all.get_mut(&handle.nonce).filter(is_valid).ok_or(Fault::HandleGone)
    }

    /// Forgets what `source` has dropped; what is not its own stays.
    pub(crate) fn release(&self, handles: &[Handle], source: &ObjectId) {
        let mut all = self.lock();
        let nonces = handles.iter().filter_map(|handle| match handle {
            Handle::Pinned(pinned) => Some(pinned.nonce),
            Handle::Stateless(_) => None,
        });
        let own: Vec<Nonce> = nonces
            .filter(|nonce| all.get(nonce).is_some_and(|kept| kept.source == *source))
            .collect();
        let gone: Vec<Kept> = own.iter().filter_map(|nonce| all.remove(nonce)).collect();
        drop(all);
        drop(gone);
    }

    /// Forgets whatever has expired. Values are dropped outside of the lock: that may take them a while.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let gone: Vec<_> = self.lock().extract_if(|_, kept| kept.has_expired(now)).collect();
        drop(gone);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.lock());
        drop(gone);
    }

    /// How many things are kept.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pins").field("kept", &self.len()).finish_non_exhaustive()
    }
}

/// 128 bits from the operating system.
#[expect(clippy::expect_used, reason = "without random bytes nothing is safe, TLS included")]
fn nonce() -> Nonce {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
    nonce
}
