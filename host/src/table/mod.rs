//! What requests read: immutable snapshots behind `arc-swap`, so that no request takes a lock.
//!
//! One task, [`crate::control`], writes; requests load. Two tables: [`Locals`], what this host itself answers, and
//! [`Places`], where in the lattice everything runs; and the [`Gate`], who of another team may call what runs here. Links are not here: each actor pins its own (see [`crate::link`]).

mod peer;
mod places;

pub use peer::{Outstanding, Peer};
pub use places::{Place, Places, Sources};

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use wicker_engine::Actor;
use wicker_lattice::call::{Call, CallError, Invoke, Reply};
use wicker_lattice::export::Gate;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::BUSY_MAX;

/// Both tables. Share it in an `Arc`.
#[derive(Debug, Default)]
pub struct Table {
    gate: Gate,
    locals: ArcSwap<Locals>,
    places: ArcSwap<Places>,
}

/// What this host itself answers.
pub type Locals = HashMap<ObjectId, Local>;

/// One object that runs inside this host.
#[derive(Clone)]
pub enum Local {
    /// A component.
    Component(Arc<Actor>),
    /// A provider that is linked into `wicker`, or a singleton behind its guard.
    Boundary(Arc<dyn Invoke>),
}

impl Local {
    /// The boundary that calls cross.
    #[must_use]
    pub fn as_invoke(&self) -> &dyn Invoke {
        match self {
            Self::Component(actor) => actor.as_ref(),
            Self::Boundary(boundary) => boundary.as_ref(),
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component(_) => "Component",
            Self::Boundary(_) => "Boundary",
        })
    }
}

impl Table {
    /// Who may call what this host answers. Only [`crate::control`] changes it.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Has `local` answer, if the caller is let in: see [`Gate::answer`].
    ///
    /// # Errors
    /// As [`CallError`] says.
    pub async fn answer(&self, local: &Local, call: Call) -> Result<Reply, CallError> {
        self.gate.answer(local.as_invoke(), call).await
    }

    /// What this host answers just now.
    pub fn locals(&self) -> Guard<Arc<Locals>> {
        self.locals.load()
    }

    /// Where everything runs, as far as is known.
    pub fn places(&self) -> Guard<Arc<Places>> {
        self.places.load()
    }

    /// The component `id`, if it runs here.
    #[must_use]
    pub fn actor(&self, id: &ObjectId) -> Option<Arc<Actor>> {
        match self.locals().get(id) {
            Some(Local::Component(actor)) => Some(Arc::clone(actor)),
            _ => None,
        }
    }

    /// Calls that run or wait, of the busiest components here.
    #[must_use]
    pub fn busy(&self) -> BTreeMap<ObjectId, u32> {
        let locals = self.locals();
        let calls = |local: &Local| match local {
            Local::Component(actor) => actor.stats().running + actor.stats().waiting,
            Local::Boundary(_) => 0,
        };
        let all = locals.iter().map(|(id, local)| (calls(local), id));
        let mut busy: Vec<(usize, &ObjectId)> = all.filter(|(calls, _)| *calls > 0).collect();
        busy.sort_unstable_by(|a, b| b.cmp(a));
        let busiest = busy.into_iter().take(BUSY_MAX);
        busiest.map(|(calls, id)| (id.clone(), u32::try_from(calls).unwrap_or(u32::MAX))).collect()
    }

    /// Puts `local` in place and returns what answered before. Only [`crate::control`] writes.
    pub(crate) fn put_local(&self, id: &ObjectId, local: Local) -> Option<Local> {
        let mut locals = HashMap::clone(&self.locals());
        let before = locals.insert(id.clone(), local);
        self.locals.store(Arc::new(locals));
        before
    }

    /// Takes `id` out and returns what answered. Only [`crate::control`] writes.
    pub(crate) fn remove_local(&self, id: &ObjectId) -> Option<Local> {
        let mut locals = HashMap::clone(&self.locals());
        let before = locals.remove(id);
        self.locals.store(Arc::new(locals));
        before
    }

    /// Replaces what is known about where things run. Only [`crate::control`] writes.
    pub(crate) fn set_places(&self, places: Places) {
        self.places.store(Arc::new(places));
    }
}
