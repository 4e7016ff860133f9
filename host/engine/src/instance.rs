//! The state behind one instance: everything that the host functions of a guest reach.

use std::sync::Arc;

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

/// An instance that can be called. Dropping it stops whatever it does.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
}
