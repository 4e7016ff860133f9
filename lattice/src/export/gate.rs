//! Who is let in: every call from another team, at the host or process that runs the callee.
//!
//! Who was let in stays until its call and its streams end; what changes meanwhile counts for the next.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::Exports;
use super::meter::{Meter, Place};
use crate::call::{Call, CallError, Invoke, Reply, Status};
use crate::http;
use crate::id::{LISTENER, ObjectId};
use crate::store::record::Export;

/// Lets calls in, or not. Read by every call from another team, replaced by whoever learns of a change.
#[derive(Default)]
pub struct Gate(ArcSwap<Rules>);

/// One snapshot.
#[derive(Default)]
struct Rules {
    /// Before the exports were read, nobody can say who may come.
    is_current: bool,
    owned: HashSet<ObjectId>,
    offers: HashMap<ObjectId, Vec<Offer>>,
}

/// One export of one target.
struct Offer {
    export: Export,
    /// By team.
    meters: HashMap<String, Arc<Meter>>,
}

/// Leave to make one call; given back when it ends.
#[derive(Debug)]
pub(super) struct Pass(Option<Arc<Place>>);

impl Gate {
    /// From now on calls are let in as `exports` say.
    pub fn set(&self, exports: &Exports) {
        let before = self.0.load();
        let mut offers: HashMap<ObjectId, Vec<Offer>> = HashMap::new();
        for export in exports.iter() {
            let offer = Offer { export: export.clone(), meters: before.meters(export) };
            offers.entry(export.target.clone()).or_default().push(offer);
        }
        let owned = exports.owned.clone();
        self.0.store(Arc::new(Rules { is_current: true, owned, offers }));
    }

    /// Has `callee` answer `call`, if it is let in.
    ///
    /// # Errors
    /// [`Status::Denied`]: the caller's team has no grant. [`Status::Overloaded`]: it has used up its quota.
    /// [`Status::Unavailable`]: the grants have not been read yet. In each case the callee never saw the call.
    pub async fn answer(&self, callee: &dyn Invoke, call: Call) -> Result<Reply, CallError> {
        if call.source.team() == call.target.team() {
            return callee.invoke(call).await;
        }
        Box::pin(self.answer_stranger(callee, call)).await
    }

    async fn answer_stranger(
        &self,
        callee: &dyn Invoke,
        mut call: Call,
    ) -> Result<Reply, CallError> {
        let pass = self.admit(&call, Instant::now())?;
        pass.take_arguments(&mut call);
        callee.invoke(call).await.map(|reply| pass.hold(reply))
    }

    /// Leave for a call of another team.
    ///
    /// # Errors
    /// As [`Gate::answer`].
    pub(super) fn admit(&self, call: &Call, now: Instant) -> Result<Pass, CallError> {
        let rules = self.0.load();
        if is_from_listener(call) {
            return Ok(Pass(None));
        }
        if !rules.is_current {
            let message = format!("who may call {} is not known yet", call.target);
            return Err(CallError::new(Status::Unavailable, message));
        }
        let team = call.source.team();
        let offers = rules.offers.get(&call.target).map_or(&[][..], Vec::as_slice);
        let granted = offers.iter().find(|offer| {
            offer.export.offers(&call.interface) && offer.export.to.contains_key(team)
        });
        match granted {
            Some(offer) => match offer.meters.get(team) {
                Some(meter) => meter.enter(team, &offer.export.id, now).map(Pass),
                None => Ok(Pass(None)),
            },
            None if super::may_be_shared(&call.target) && !rules.owned.contains(&call.target) => {
                Ok(Pass(None))
            }
            None => Err(denied(call)),
        }
    }
}

impl Rules {
    /// The meters of an export: those of teams whose quota is as it was go on counting.
    fn meters(&self, export: &Export) -> HashMap<String, Arc<Meter>> {
        let offers = self.offers.values().flatten();
        let before = offers.filter(|offer| offer.export.id == export.id).map(|offer| &offer.meters);
        let before: HashMap<&String, &Arc<Meter>> = before.flatten().collect();
        let meter = |(team, terms): (&String, &crate::store::record::Terms)| {
            let kept = before.get(team).filter(|meter| meter.quota() == terms.quota);
            let meter = kept.map_or_else(|| Arc::new(Meter::new(terms.quota)), |m| Arc::clone(m));
            (!terms.quota.is_unbounded()).then(|| (team.clone(), meter))
        };
        export.to.iter().filter_map(meter).collect()
    }
}

/// Routes are claimed by the application that answers them: what the listeners of hosts bring is meant for it.
fn is_from_listener(call: &Call) -> bool {
    call.source.as_str() == LISTENER && call.interface.as_str() == http::INTERFACE
}

fn denied(call: &Call) -> CallError {
    let Call { source, target, interface, .. } = call;
    let team = source.team();
    let message = format!(
        "{source} may not call {interface} of {target}: no export grants it to team `{team}`"
    );
    CallError::new(Status::Denied, message)
}

impl Pass {
    /// Counts what a call brings.
    pub(super) fn take_arguments(&self, call: &mut Call) {
        if let Some(place) = &self.0 {
            place.count(call.params.len());
            call.streams = call.streams.drain(..).map(|stream| place.watch(stream)).collect();
        }
    }

    /// Counts what a call gives back, until its last stream has ended or was dropped.
    pub(super) fn hold(self, mut reply: Reply) -> Reply {
        if let Some(place) = &self.0 {
            place.count(reply.results.len());
            reply.streams = reply.streams.drain(..).map(|stream| place.watch(stream)).collect();
        }
        reply
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("targets", &self.0.load().offers.len()).finish()
    }
}
