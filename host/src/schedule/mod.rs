//! Calls components when their schedules are due: on the one host that acts.
//!
//! [`wicker_reconciler::schedule`] decides, purely; a `keeper` for each schedule writes what it decides and only then
//! begins deliveries, so that of several hosts that take it for their turn one begins each. `handler` makes the call.
//! Refuses to know how far a schedule is: that is in the lattice's state, and read anew at each beginning.

mod handler;
mod keeper;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Schedule, Ticks};
use wicker_lattice::store::{Record as _, key};

use crate::link::Router;
use crate::member::Member;
use keeper::Keeper;

/// How often it looks for what schedules that are gone have left.
const CLEAR_EVERY: Duration = Duration::from_secs(30);

/// How long one look may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The schedules of the lattice, for when it is this host's turn to act.
#[derive(Debug)]
pub struct Schedules {
    member: Member,
    router: Arc<Router>,
    told: watch::Receiver<Arc<Vec<Schedule>>>,
}

/// A schedule that is followed.
struct Followed {
    changes: watch::Sender<Schedule>,
    end: AbortHandle,
}

type Keepers = FuturesUnordered<Abortable<BoxFuture<'static, Infallible>>>;

impl Schedules {
    /// Schedules as they are `told`: those that this host may act on.
    #[must_use]
    pub fn new(
        member: &Member,
        router: Arc<Router>,
        told: watch::Receiver<Arc<Vec<Schedule>>>,
    ) -> Self {
        Self { member: member.clone(), router, told }
    }

    /// Follows all of them. Not cancel-safe, and need not be: deliveries under way are broken off, and whoever follows next
    /// makes them again.
    pub async fn follow(&mut self) -> Infallible {
        let mut followed = BTreeMap::new();
        let mut keepers = Keepers::new();
        let mut clear = interval(CLEAR_EVERY);
        clear.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.told.mark_changed();
        loop {
            tokio::select! {
                // Cancel-safe, all.
                changed = self.told.changed() => match changed {
                    Ok(()) => {
                        if self.see(&mut followed, &mut keepers) {
                            self.clear().await;
                        }
                    }
                    // The host stops.
                    Err(_) => std::future::pending().await,
                },
                // One that has ended was told to.
                Some(_) = keepers.next() => {}
                _ = clear.tick() => self.clear().await,
            }
        }
    }

    /// Begins to follow what is new, tells of what changed, and ends what is gone; whether anything was.
    fn see(&mut self, followed: &mut BTreeMap<ObjectId, Followed>, keepers: &mut Keepers) -> bool {
        let told = Arc::clone(&self.told.borrow_and_update());
        let before = followed.len();
        followed.retain(|id, each| {
            let is_there = told.iter().any(|schedule| schedule.id == *id);
            if !is_there {
                each.end.abort();
            }
            is_there
        });
        let is_any_gone = followed.len() < before;
        for schedule in told.iter() {
            if let Some(each) = followed.get(&schedule.id) {
                each.changes.send_if_modified(|known| {
                    let is_changed = known != schedule;
                    known.clone_from(schedule);
                    is_changed
                });
                continue;
            }
            let (changes, changed) = watch::channel(schedule.clone());
            let (end, ended) = AbortHandle::new_pair();
            let keeper = Keeper::new(self.member.clone(), Arc::clone(&self.router), changed);
            keepers.push(Abortable::new(Box::pin(keeper.keep()), ended));
            followed.insert(schedule.id.clone(), Followed { changes, end });
        }
        is_any_gone
    }

    /// Removes how far schedules were that are gone.
    async fn clear(&self) {
        let store = &self.member.store;
        let clear = async {
            for entry in store.list::<Ticks>(&Ticks::all()).await? {
                let key = key::schedule(&entry.record.schedule);
                if store.get::<Schedule>(&key).await?.is_none() {
                    _ = store.delete_at::<Ticks>(&entry.key, entry.revision).await;
                }
            }
            Ok::<(), wicker_lattice::store::StoreError>(())
        };
        // What is left this time is found the next time.
        _ = timeout(STORE_TIMEOUT, clear).await;
    }
}
