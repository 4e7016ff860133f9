//! Says every second that this host lives, and what does not work on it; notices when it cannot say so.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use wicker_lattice::nats::ConnectionState;
use wicker_lattice::store::lease::{LEASE, RENEW_EVERY, Tenure};
use wicker_lattice::store::record::Host;
use wicker_lattice::store::{StoreError, key};

use super::load::Meter;
use crate::fence::OwnLease;
use crate::member::Member;
use crate::table::Table;

/// A renewal that takes longer than this shows that the lattice's state is slow.
const SLOW: Duration = Duration::from_millis(500);

/// Quick renewals in a row after which a slow or absent state is a thing of the past.
const QUICK_AGAIN: u32 = 5;

/// This host's lease.
#[derive(Debug, Clone)]
pub struct Lease {
    member: Member,
    said: Arc<Mutex<Said>>,
    /// Told when something must be said before the next renewal is due.
    news: Arc<Notify>,
    /// What is known of it by this host's own clock.
    own: OwnLease,
    /// What is busy here.
    table: Arc<Table>,
    /// One write at a time: a record that is older than the last one would look like a host that is not renewed.
    turn: Arc<Semaphore>,
}

/// What the lease says.
#[derive(Debug)]
struct Said {
    /// `None` once it is given up.
    host: Option<Host>,
    /// What does not work well here.
    ailing: Option<String>,
    /// What was wrong with the lattice's state, and how many renewals were quick since.
    trouble: Option<(String, u32)>,
    meter: Meter,
}

impl Said {
    /// The next renewal; `None` once the lease is given up.
    fn renewed(&mut self) -> Option<Host> {
        let trouble = self.trouble.as_ref().map(|(what, _)| what.clone());
        let reasons: Vec<String> = trouble.into_iter().chain(self.ailing.clone()).collect();
        let host = self.host.as_mut()?;
        host.beat += 1;
        host.load = self.meter.read().or(host.load);
        host.degraded = (!reasons.is_empty()).then(|| reasons.join("; "));
        Some(host.clone())
    }
}

impl Lease {
    /// Takes the lease, so that the host is seen when this returns, and renews it from then on.
    ///
    /// # Errors
    /// The lattice's state cannot be written.
    pub async fn take(member: &Member, host: Host, table: &Arc<Table>) -> Result<Self, StoreError> {
        let (beat, sent) = (host.beat, Instant::now());
        member.store.put(&host).await?;
        let own = OwnLease::new(Tenure::new(beat, sent));
        let meter = Meter::default();
        let said = Said { host: Some(host), ailing: None, trouble: None, meter };
        let (said, news) = (Arc::new(Mutex::new(said)), Arc::new(Notify::new()));
        let turn = Arc::new(Semaphore::new(1));
        let (member, table) = (member.clone(), Arc::clone(table));
        let lease = Self { member: member.clone(), said, news, own, table, turn };
        member.tasks.spawn("lease", lease.clone().renew());
        Ok(lease)
    }

    /// Changes what the lease says, and writes it at once.
    pub async fn change(&self, change: impl FnOnce(&mut Host)) {
        {
            let mut said = self.said();
            let Some(host) = said.host.as_mut() else { return };
            change(host);
        }
        self.write().await;
    }

    /// Says soon what does not work well here; `None`: all does.
    pub fn set_ailing(&self, ailing: Option<String>) {
        let mut said = self.said();
        if said.ailing != ailing {
            said.ailing = ailing;
            self.news.notify_one();
        }
    }

    /// The lease by this host's own clock.
    #[must_use]
    pub fn own(&self) -> OwnLease {
        self.own.clone()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the lease up: the host is gone for everyone at once.
    pub async fn give_up(&self) {
        self.said().host = None;
        let key = key::host(self.member.process);
        let _ = timeout(RENEW_EVERY, self.member.store.delete::<Host>(&key)).await;
    }

    async fn renew(self) -> Result<(), Infallible> {
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_for = Duration::ZERO;
        loop {
            tokio::select! {
                // Cancel-safe, all.
                () = self.member.tasks.stopping() => return Ok(()),
                () = self.news.notified() => {}
                _ = ticks.tick() => {}
            }
            let begun = Instant::now();
            let is_written = self.write().await;
            if self.said().host.is_none() {
                return Ok(());
            }
            if is_written {
                self.note_success(silent_for, begun.elapsed());
                silent_for = Duration::ZERO;
            } else {
                self.note_failure(silent_for);
                silent_for += RENEW_EVERY;
            }
        }
    }

    /// Writes the lease once; whether that worked.
    async fn write(&self) -> bool {
        let _turn = self.turn.acquire().await;
        let Some(mut host) = self.said().renewed() else { return true };
        host.busy = self.table.busy();
        let sent = Instant::now();
        let written = timeout(RENEW_EVERY, self.member.store.put(&host)).await;
        let is_written = matches!(written, Ok(Ok(_)));
        if is_written {
            self.own.renewed(host.beat, sent);
        }
        self.own.look();
        is_written
    }

    /// Says once that the lattice's state is back; and for a while in the lease that it was away or slow.
    fn note_success(&self, silent_for: Duration, took: Duration) {
        let mut said = self.said();
        if silent_for >= LEASE {
            tracing::info!("the lattice's state is back");
            let what =
                format!("the lattice's state did not answer for {silent_for:?} until just now");
            said.trouble = Some((what, 0));
        } else if took >= SLOW || !silent_for.is_zero() {
            let what = "the lattice's state is slow: NATS or its disk has too much to do";
            said.trouble = Some((what.to_owned(), 0));
        } else if let Some((_, quick)) = &mut said.trouble {
            *quick += 1;
            said.trouble = said.trouble.take().filter(|(_, quick)| *quick < QUICK_AGAIN);
        }
    }

    /// Says once that the lease has run out.
    fn note_failure(&self, silent_for: Duration) {
        if silent_for < LEASE && silent_for + RENEW_EVERY >= LEASE {
            let connection = *self.member.nats.state().borrow();
            let what = match connection {
                ConnectionState::Connected => "JetStream does not answer",
                ConnectionState::Disconnected => "NATS does not answer",
            };
            tracing::warn!("degraded: {what}; serving on with what is known, changes wait");
        }
    }
}
