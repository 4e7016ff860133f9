//! Before a host stops, others run what it ran: so that nothing is away in between.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wicker_lattice::store::record::{Component, Host, Placement, Provider, Sharing};
use wicker_lattice::store::{Change, Record as _, key};

use crate::control::Lease;
use crate::member::Member;

/// The question by which a host that goes on running is told to hand over, or to take work again.
pub(crate) const DRAIN: &str = "drain";

/// How long a host that stops waits at most until others run what it ran.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Says that this host takes no new work, and waits until the reconciler has found other hosts for what can move.
/// Without another host nothing can.
pub(crate) async fn hand_over(member: &Member, lease: &Lease, until: Instant) {
    let until = until.min(Instant::now() + HAND_OVER);
    if timeout_at(until, find_others(member, lease)).await.is_err() {
        tracing::info!("some of what runs here found no other host");
    }
}

async fn find_others(member: &Member, lease: &Lease) {
    let store = &member.store;
    lease.change(|host| host.is_draining = true).await;
    let takes_work =
        |host: &Host| host.process != member.process && host.lost_at.is_none() && !host.is_draining;
    let hosts = store.list::<Host>(&Host::all()).await;
    if !hosts.is_ok_and(|hosts| hosts.iter().any(|entry| takes_work(&entry.record))) {
        return;
    }
    let (Ok(components), Ok(providers)) = (
        store.list::<Component>(&Component::all()).await,
        store.list::<Provider>(&Provider::all()).await,
    ) else {
        return;
    };
    let components = components.iter().filter(|entry| !entry.record.is_bare);
    let providers = providers.iter().filter(|entry| entry.record.sharing == Sharing::Replicable);
    let movable: BTreeSet<String> = components
        .map(|entry| &entry.record.id)
        .chain(providers.map(|entry| &entry.record.id))
        .map(|id| key::placement(member.process, id))
        .collect();
    let mut placements = store.watch::<Placement>(&key::placements_on(member.process));
    let mut here = BTreeSet::new();
    let mut is_current = false;
    while !is_current || !here.is_disjoint(&movable) {
        match placements.next().await {
            Change::Put(entry) => _ = here.insert(entry.key),
            Change::Deleted { key } => _ = here.remove(&key),
            Change::Current => is_current = true,
        }
    }
}
