//! Finds processes that died without a word, and clears up after them.
//!
//! The host that acts follows all leases. A process whose lease ran out is asked once more: only one that does not answer
//! either is lost, because a lease also stops when JetStream does. Then its status records go, and last its lease is
//! marked, checked against the revision that was seen: however many hosts believe that it is their turn, one of them
//! tells of it. A process that was only frozen writes all of it again.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use wicker_lattice::call::Status;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::lease::{Leased, Leases, RENEW_EVERY};
use wicker_lattice::store::record::{Host, ProviderProcess, Running, SecretNames};
use wicker_lattice::store::{Change, Entry, Record as _, StoreError, key};

use super::outage::Outages;
use super::post::Post;
use crate::member::Member;

/// A process that lives answers within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How long one write, or one look at all status records, may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the record of a lost host stays for `wicker ps` to show.
const LOST_SHOWN: Duration = Duration::from_secs(60 * 60);

/// A lease as it was last seen.
enum Seen {
    Host(Entry<Host>),
    Provider(Entry<ProviderProcess>),
}

/// What is known of all leases, from taking the post to losing it.
pub(super) struct Round<'a> {
    member: &'a Member,
    leases: Leases,
    seen: HashMap<ProcessId, Seen>,
    /// Whether every host that there is has been seen.
    is_current: bool,
    /// Hosts that are lost already, and since when this is known.
    lost: HashMap<ProcessId, (Instant, u64)>,
}

impl<'a> Round<'a> {
    pub(super) fn new(member: &'a Member) -> Self {
        let (leases, seen, lost) = (Leases::default(), HashMap::new(), HashMap::new());
        Self { member, leases, seen, is_current: false, lost }
    }

    /// Returns when another host has the post.
    pub(super) async fn serve(mut self, post: &mut Post, outages: &mut Outages) {
        let store = &self.member.store;
        let mut hosts = store.watch::<Host>(&Host::all());
        let mut providers = store.watch::<ProviderProcess>(&ProviderProcess::all());
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.listen(outages);
        loop {
            let expiry = self.leases.next_expiry(Instant::now());
            tokio::select! {
                // Cancel-safe, all. Renewals first: none that has arrived may count as missing.
                biased;
                () = outages.changed() => {
                    self.listen(outages);
                    post.predecessor = None;
                }
                change = hosts.next() => self.see_host(change),
                change = providers.next() => self.see_provider(change),
                _ = ticks.tick() => {
                    if !post.renew(self.member).await {
                        return;
                    }
                    self.look(post).await;
                }
                () = at(expiry) => self.look(post).await,
            }
        }
    }

    /// While the connection is away, and for a time after it is back, nobody is presumed dead.
    fn listen(&mut self, outages: &Outages) {
        // Anew, too, where the outage was so short that only its end was seen.
        self.leases.stop_listening();
        if outages.is_connected() {
            self.leases.start_listening(outages.counts_from());
        }
    }

    fn see_host(&mut self, change: Change<Host>) {
        match change {
            Change::Put(entry) if entry.record.lost_at.is_some() => {
                let process = entry.record.process;
                self.forget(process);
                let known = self.lost.get(&process).map_or_else(Instant::now, |(at, _)| *at);
                self.lost.insert(process, (known, entry.revision));
            }
            Change::Put(entry) => {
                self.lost.remove(&entry.record.process);
                self.see(&entry.record.clone(), Seen::Host(entry));
            }
            Change::Deleted { key } => self.see_deletion(&key),
            Change::Current => self.is_current = true,
        }
    }

    fn see_provider(&mut self, change: Change<ProviderProcess>) {
        match change {
            Change::Put(entry) => self.see(&entry.record.clone(), Seen::Provider(entry)),
            Change::Deleted { key } => self.see_deletion(&key),
            Change::Current => {}
        }
    }

    fn see(&mut self, lease: &impl Leased, seen: Seen) {
        self.leases.observe(lease, Instant::now());
        self.seen.insert(lease.process(), seen);
    }

    fn see_deletion(&mut self, key: &str) {
        if let Some(process) = key.rsplit('.').next().and_then(|token| token.parse().ok()) {
            self.forget(process);
            self.lost.remove(&process);
        }
    }

    fn forget(&mut self, process: ProcessId) {
        self.leases.forget(process);
        self.seen.remove(&process);
    }

    /// Clears up after everyone whose lease has run out and who does not answer.
    async fn look(&mut self, post: &mut Post) {
        let mut suspects = self.leases.ended(Instant::now());
        if self.is_current {
            // It was silent for a lease before this host took over.
            let predecessor = post.predecessor.take();
            suspects.extend(predecessor.filter(|process| self.seen.contains_key(process)));
        }
        suspects.retain(|process| *process != self.member.process);
        let asked = join_all(suspects.into_iter().map(|process| self.is_silent(process))).await;
        for process in asked.into_iter().flatten() {
            let Some(seen) = self.seen.get(&process) else { continue };
            match timeout(STORE_TIMEOUT, clear_up(self.member, seen)).await {
                // Forgotten in either case: a lease that was renewed meanwhile is on its way here.
                Ok(Ok(()) | Err(StoreError::Conflict { .. })) => self.forget(process),
                Ok(Err(error)) => tracing::debug!(%process, %error, "not cleared up yet"),
                Err(_) => tracing::debug!(%process, "not cleared up yet: no answer"),
            }
        }
        self.drop_old().await;
    }

    /// The process, if it does not answer.
    async fn is_silent(&self, process: ProcessId) -> Option<ProcessId> {
        let address = (self.member.lattice.as_str(), process);
        let nothing = serde_json::Value::Null;
        let asked = self.member.nats.query::<_, serde_json::Value>(
            address,
            "ping",
            &nothing,
            ANSWER_TIMEOUT,
        );
        let error = asked.await.err()?;
        let is_silent = matches!(error.status, Status::Unavailable | Status::Deadline);
        (is_silent && self.member.nats.is_connected()).then_some(process)
    }

    /// Removes the records of hosts that were lost long ago.
    async fn drop_old(&mut self) {
        let old = |(at, _): &(Instant, u64)| at.elapsed() >= LOST_SHOWN;
        let old: Vec<_> = self.lost.iter().filter(|(_, lost)| old(lost)).collect();
        for (process, (_, revision)) in old {
            let key = key::host(*process);
            let deleted = self.member.store.delete_at::<Host>(&key, *revision);
            let _ = timeout(STORE_TIMEOUT, deleted).await;
        }
    }
}

/// Removes what the dead process said of what it runs, and then tells of its death if nobody else has.
async fn clear_up(member: &Member, seen: &Seen) -> Result<(), StoreError> {
    let store = &member.store;
    match seen {
        Seen::Host(entry) => {
            remove_running(member, &entry.record).await?;
            store.delete::<SecretNames>(&key::secret_names(entry.record.process)).await?;
            let lost_at = Some(member.clock.rfc3339());
            let lost = Host { lost_at, ..entry.record.clone() };
            store.update(&lost, entry.revision).await?;
            let Host { name, process, .. } = &entry.record;
            tracing::warn!("host {name} ({process}) is lost");
            let message = format!("host {name} ({process}) is lost: its lease ran out");
            member.tell(EventKind::HostLost, None, message);
        }
        Seen::Provider(entry) => {
            remove_running(member, &entry.record).await?;
            store.delete_at::<ProviderProcess>(&entry.key, entry.revision).await?;
            let ProviderProcess { object, process, .. } = &entry.record;
            let message = format!("the process {process} of {object} is gone: its lease ran out");
            member.tell(EventKind::ObjectFailed, Some(object), message);
        }
    }
    Ok(())
}

/// Only what this start of the process wrote: a later one speaks for itself.
async fn remove_running(member: &Member, dead: &impl Leased) -> Result<(), StoreError> {
    let is_its = |running: &Running| {
        running.process == dead.process() && running.incarnation == dead.incarnation()
    };
    for entry in member.store.list::<Running>(&Running::all()).await? {
        if is_its(&entry.record) {
            match member.store.delete_at::<Running>(&entry.key, entry.revision).await {
                Ok(()) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Resolves then, if ever.
async fn at(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
