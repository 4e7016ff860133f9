//! Which processes are alive, by the reader's own monotonic clock: pure, so that it runs in simulation.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::id::{Incarnation, ProcessId};
use crate::store::record::{Host, ProviderProcess};

/// How often a process renews its lease.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);

/// A lease that was not renewed for this long is gone.
pub const LEASE: Duration = Duration::from_secs(3);

/// How long before the end of its lease a process lets go of what nobody else may do meanwhile: clocks differ in speed, and
/// what it has begun by then must be over.
pub const MARGIN: Duration = Duration::from_millis(500);

/// A record that a process renews for as long as it lives.
pub trait Leased {
    /// Whose it is.
    fn process(&self) -> ProcessId;
    /// Which start of the process wrote it.
    fn incarnation(&self) -> Incarnation;
    /// Rises with each renewal.
    fn beat(&self) -> u64;
}

macro_rules! leased {
    ($type:ty) => {
        impl Leased for $type {
            fn process(&self) -> ProcessId {
                self.process
            }

            fn incarnation(&self) -> Incarnation {
                self.incarnation
            }

            fn beat(&self) -> u64 {
                self.beat
            }
        }
    };
}

leased!(Host);
leased!(ProviderProcess);

/// What a process knows about its own lease, by its own monotonic clock: stricter than what others believe. They count from
/// when a renewal reached them, it counts from before it sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    term: u64,
    beat: u64,
    until: Instant,
}

impl Tenure {
    /// The lease was taken by a write that was sent at `sent`.
    #[must_use]
    pub fn new(beat: u64, sent: Instant) -> Self {
        Self { term: 1, beat, until: sent + LEASE - MARGIN }
    }

    /// A renewal that was sent at `sent` was acknowledged at `now`. Where that is too late, others may have taken over by
    /// now: what was held is lost, and another term begins.
    #[must_use]
    pub fn renewed(self, beat: u64, sent: Instant, now: Instant) -> Self {
        let term = if now < self.until { self.term } else { self.term + 1 };
        Self { term, beat, until: sent + LEASE - MARGIN }
    }

    /// Rises each time that the lease was regained after it had run out.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.term
    }

    /// The newest renewal that is known to be written.
    #[must_use]
    pub fn beat(&self) -> u64 {
        self.beat
    }

    /// How long it is held yet without a gap since `term` began, if it is not renewed.
    #[must_use]
    pub fn left(&self, term: u64, now: Instant) -> Duration {
        if self.term == term { self.until.saturating_duration_since(now) } else { Duration::ZERO }
    }

    /// Whether the lease is held without a gap since `term` began.
    #[must_use]
    pub fn holds(&self, term: u64, now: Instant) -> bool {
        self.term == term && now < self.until
    }
}

/// What one reader knows about leases. Fed by a watch of [`Leased`] records and by the passing of time.
#[derive(Debug, Default)]
pub struct Leases {
    seen: HashMap<ProcessId, Seen>,
    /// Since when renewals can reach us. While they cannot, nobody is presumed dead.
    listening_since: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    incarnation: Incarnation,
    beat: u64,
    at: Instant,
}

impl Leases {
    /// Notes a lease record that arrived at `now`. A record seen before renews nothing.
    pub fn observe(&mut self, lease: &impl Leased, now: Instant) {
        let (process, incarnation, beat) = (lease.process(), lease.incarnation(), lease.beat());
        let is_known = self
            .seen
            .get(&process)
            .is_some_and(|seen| seen.incarnation == incarnation && seen.beat >= beat);
        if !is_known {
            self.seen.insert(process, Seen { incarnation, beat, at: now });
        }
    }

    /// Notes that a lease was given up.
    pub fn forget(&mut self, process: ProcessId) {
        self.seen.remove(&process);
    }

    /// Notes that renewals reach us from `now` on. For one lease more, every known lease counts as held.
    pub fn start_listening(&mut self, now: Instant) {
        self.listening_since.get_or_insert(now);
    }

    /// Notes that renewals cannot reach us. Absence of information never stops work: until they can again, every known
    /// lease counts as held.
    pub fn stop_listening(&mut self) {
        self.listening_since = None;
    }

    /// Whether `process` holds its lease at `now`. A process never heard of does not.
    #[must_use]
    pub fn is_alive(&self, process: ProcessId, now: Instant) -> bool {
        let Some(seen) = self.seen.get(&process) else { return false };
        let Some(since) = self.listening_since else { return true };
        now.duration_since(seen.at.max(since)) < LEASE
    }

    /// When the next lease ends, if none is renewed: the time to look again.
    #[must_use]
    pub fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let since = self.listening_since?;
        self.seen.values().map(|seen| seen.at.max(since) + LEASE).filter(|end| *end > now).min()
    }

    /// The processes whose leases have ended at `now`.
    #[must_use]
    pub fn ended(&self, now: Instant) -> Vec<ProcessId> {
        self.seen.keys().copied().filter(|process| !self.is_alive(*process, now)).collect()
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn host(process: ProcessId, beat: u64) -> Host {
        Host {
            process,
            incarnation: Incarnation::from_bytes([7; 16]),
            name: "here".to_owned(),
            labels: std::collections::BTreeMap::new(),
            http: None,
            pid: None,
            version: "0.1.0".to_owned(),
            beat,
            is_draining: false,
            degraded: None,
            lost_at: None,
            load: None,
            busy: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lease_that_is_not_renewed_ends() {
        let (start, process) = (Instant::now(), ProcessId::generate());
        let mut leases = Leases::default();
        leases.start_listening(start);
        leases.observe(&host(process, 1), start);
        assert!(leases.is_alive(process, start + Duration::from_millis(2_999)));
        assert!(!leases.is_alive(process, start + LEASE));
        assert_eq!(leases.ended(start + LEASE), [process]);
        leases.observe(&host(process, 2), start + LEASE);
        assert!(leases.is_alive(process, start + LEASE));
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_record_renews_nothing() {
        let (start, process) = (Instant::now(), ProcessId::generate());
        let mut leases = Leases::default();
        leases.start_listening(start);
        leases.observe(&host(process, 1), start);
        leases.observe(&host(process, 1), start + Duration::from_secs(2));
        assert!(!leases.is_alive(process, start + LEASE));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_lattice_kills_nobody() {
        let (start, process) = (Instant::now(), ProcessId::generate());
        let mut leases = Leases::default();
        leases.start_listening(start);
        leases.observe(&host(process, 1), start);
        leases.stop_listening();
        let later = start + Duration::from_secs(600);
        assert!(leases.is_alive(process, later));
        leases.start_listening(later);
        assert!(leases.is_alive(process, later + Duration::from_secs(2)));
        assert!(!leases.is_alive(process, later + LEASE));
    }

    #[tokio::test(start_paused = true)]
    async fn own_lease_ends_before_others_may_believe_so() {
        let sent = Instant::now();
        let tenure = Tenure::new(1, sent);
        let last = sent + LEASE - MARGIN;
        assert!(tenure.holds(1, last - Duration::from_millis(1)) && !tenure.holds(1, last));
        let in_time = tenure.renewed(2, sent + RENEW_EVERY, last - Duration::from_millis(1));
        assert!(in_time.holds(1, last) && in_time.beat() == 2);
        let too_late = tenure.renewed(2, sent + RENEW_EVERY, last);
        assert!(too_late.holds(2, last) && !too_late.holds(1, last), "what was held is lost");
    }

    #[tokio::test(start_paused = true)]
    async fn own_lease_is_lost_once_and_regained_once_however_long_nobody_acknowledges() {
        for away in [LEASE, Duration::from_secs(600)] {
            let sent = Instant::now();
            let tenure = Tenure::new(1, sent);
            assert!(!tenure.holds(1, sent + away));
            let back = tenure.renewed(2, sent + away, sent + away);
            assert!(back.holds(2, sent + away) && !back.holds(1, sent + away));
        }
    }
}
