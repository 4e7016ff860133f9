//! Clears up after processes that died without a word. One host of the lattice at a time does so: the caretaker.
//!
//! Every host follows one record, the caretaker's, and tries to take it over when it was silent for a lease. The one
//! that holds it follows all leases. A process whose lease ran out is asked once more: only one that does not answer
//! either is lost, because a lease also stops when JetStream does. Then its status records go, and last its lease is
//! marked, checked against the revision that was seen: however many hosts believe that they are the caretaker, one
//! of them tells of it. A process that was only frozen writes all of it again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use wicker_lattice::call::Status;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::ConnectionState;
use wicker_lattice::store::lease::{LEASE, Leased, Leases, RENEW_EVERY};
use wicker_lattice::store::record::{Caretaker, Host, ProviderProcess, Running};
use wicker_lattice::store::{Change, Entry, Record as _, StoreError, key};

use crate::member::Member;

/// A process that lives answers within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one write, or one look at all status records, may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the record of a lost host stays for `wicker ps` to show.
const LOST_SHOWN: Duration = Duration::from_secs(60 * 60);

/// Waits for the post, does the work while it holds it, waits again; until the host's tasks are asked to stop.
pub(super) async fn take_turns(member: Member) -> Result<(), Infallible> {
    let tasks = member.tasks.clone();
    loop {
        let mut post = tokio::select! {
            // Cancel-safe: a post that was claimed a moment ago is free again after a lease.
            () = tasks.stopping() => return Ok(()),
            post = wait_for_post(&member) => post,
        };
        tokio::select! {
            // Not cancel-safe, and need not be: whoever comes next does what is left.
            () = tasks.stopping() => {
                let resigned = member.store.delete_at::<Caretaker>(key::CARETAKER, post.revision);
                let _ = timeout(RENEW_EVERY, resigned).await;
                return Ok(());
            }
            () = Round::new(&member).serve(&mut post) => {}
        }
    }
}

/// The caretaker's record, held by this host.
struct Post {
    record: Caretaker,
    revision: u64,
    /// Who had it, and was silent.
    predecessor: Option<ProcessId>,
}

/// Resolves once this host is the caretaker.
async fn wait_for_post(member: &Member) -> Post {
    let mut watch = member.store.watch::<Caretaker>(key::CARETAKER);
    let mut holder: Option<Entry<Caretaker>> = None;
    let mut heard = Instant::now();
    loop {
        match timeout_at(heard + LEASE, watch.next()).await {
            Ok(Change::Put(entry)) => {
                let is_ours_of_old = entry.record.process == member.process;
                (holder, heard) = (Some(entry), Instant::now());
                if !is_ours_of_old {
                    continue;
                }
            }
            Ok(Change::Current) if holder.is_some() => continue,
            Ok(Change::Deleted { .. }) => holder = None,
            Ok(Change::Current) | Err(_) => {}
        }
        heard = Instant::now();
        if let Some(post) = claim(member, holder.as_ref()).await {
            return post;
        }
    }
}

/// Takes the post over from `holder`, unless somebody else has done so.
async fn claim(member: &Member, holder: Option<&Entry<Caretaker>>) -> Option<Post> {
    let beat = holder.map_or(0, |holder| holder.record.beat) + 1;
    let record = Caretaker { process: member.process, incarnation: member.incarnation, beat };
    let written = async {
        match holder {
            Some(holder) => member.store.update(&record, holder.revision).await,
            None => member.store.create(&record).await,
        }
    };
    let revision = timeout(STORE_TIMEOUT, written).await.ok()?.ok()?;
    let predecessor = holder.map(|holder| holder.record.process);
    let predecessor = predecessor.filter(|process| *process != member.process);
    Some(Post { record, revision, predecessor })
}

/// A lease as it was last seen.
enum Seen {
    Host(Entry<Host>),
    Provider(Entry<ProviderProcess>),
}

/// What the caretaker knows, from taking the post to losing it.
struct Round<'a> {
    member: &'a Member,
    leases: Leases,
    seen: HashMap<ProcessId, Seen>,
    /// Whether every host that there is has been seen.
    is_current: bool,
    /// Hosts that are lost already, and since when this caretaker knows.
    lost: HashMap<ProcessId, (Instant, u64)>,
}

impl<'a> Round<'a> {
    fn new(member: &'a Member) -> Self {
        let (leases, seen, lost) = (Leases::default(), HashMap::new(), HashMap::new());
        Self { member, leases, seen, is_current: false, lost }
    }

    /// Returns when another host has the post.
    async fn serve(mut self, post: &mut Post) {
        let store = &self.member.store;
        let mut hosts = store.watch::<Host>(&Host::all());
        let mut providers = store.watch::<ProviderProcess>(&ProviderProcess::all());
        let mut connection = self.member.nats.state();
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.listen(*connection.borrow_and_update());
        loop {
            tokio::select! {
                // Cancel-safe, all. Renewals first: none that has arrived may count as missing.
                biased;
                _ = connection.changed() => {
                    let state = *connection.borrow_and_update();
                    self.listen(state);
                }
                change = hosts.next() => self.see_host(change),
                change = providers.next() => self.see_provider(change),
                _ = ticks.tick() => {
                    if !renew(self.member, post).await {
                        return;
                    }
                    self.look(post).await;
                }
            }
        }
    }

    /// While the connection is away, and for a lease after it is back, nobody is presumed dead.
    fn listen(&mut self, state: ConnectionState) {
        match state {
            ConnectionState::Connected => {
                // Anew, too, where the outage was so short that only its end was seen.
                self.leases.stop_listening();
                self.leases.start_listening(Instant::now());
            }
            ConnectionState::Disconnected => self.leases.stop_listening(),
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

/// Whether this host still has the post.
async fn renew(member: &Member, post: &mut Post) -> bool {
    post.record.beat += 1;
    let written = timeout(RENEW_EVERY, member.store.update(&post.record, post.revision)).await;
    match written {
        Ok(Ok(revision)) => {
            post.revision = revision;
            true
        }
        // An earlier write that was not acknowledged may be what it conflicts with: then the watch says that it is ours.
        Ok(Err(StoreError::Conflict { .. })) => false,
        Ok(Err(_)) | Err(_) => true,
    }
}

/// Removes what the dead process said of what it runs, and then tells of its death if nobody else has.
async fn clear_up(member: &Member, seen: &Seen) -> Result<(), StoreError> {
    let store = &member.store;
    match seen {
        Seen::Host(entry) => {
            remove_running(member, &entry.record).await?;
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
