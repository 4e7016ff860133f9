//! This host's lease by its own clock, for requests to read without a lock.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use wicker_lattice::fence::Right;
use wicker_lattice::store::lease::Tenure;

/// What this host knows of its own lease. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OwnLease {
    tenure: Arc<ArcSwap<Tenure>>,
    /// The last term that is over.
    over: watch::Sender<u64>,
}

/// The right to run one singleton: as long as the term of the lease lasts in which it was claimed.
#[derive(Debug, Clone)]
pub struct Guard {
    lease: OwnLease,
    term: u64,
    token: u64,
}

impl OwnLease {
    /// A lease that was taken a moment ago.
    #[must_use]
    pub fn new(tenure: Tenure) -> Self {
        Self { tenure: Arc::new(ArcSwap::from_pointee(tenure)), over: watch::Sender::new(0) }
    }

    /// A renewal that was sent at `sent` was acknowledged just now. Only the task that renews calls this.
    pub fn renewed(&self, beat: u64, sent: Instant) {
        let before = **self.tenure.load();
        let after = before.renewed(beat, sent, Instant::now());
        self.tenure.store(Arc::new(after));
        if after.term() != before.term() {
            self.tell_over(before.term());
        }
    }

    /// Tells of the term that is over, if it is.
    pub fn look(&self) {
        let tenure = **self.tenure.load();
        if !tenure.holds(tenure.term(), Instant::now()) {
            self.tell_over(tenure.term());
        }
    }

    /// Changes whenever a term is over.
    #[must_use]
    pub fn lapses(&self) -> watch::Receiver<u64> {
        self.over.subscribe()
    }

    /// What is held now; `None` where the lease has run out.
    #[must_use]
    pub fn current(&self) -> Option<Tenure> {
        let tenure = **self.tenure.load();
        tenure.holds(tenure.term(), Instant::now()).then_some(tenure)
    }

    /// The right that a claim gives which was written in `term`, under this revision.
    #[must_use]
    pub fn guard(&self, term: u64, token: u64) -> Guard {
        Guard { lease: self.clone(), term, token }
    }

    fn tell_over(&self, term: u64) {
        self.over.send_if_modified(|last| {
            let is_news = *last < term;
            *last = term.max(*last);
            is_news
        });
    }
}

impl Guard {
    /// How long it holds yet, unless the lease is renewed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.lease.tenure.load().left(self.term, Instant::now())
    }
}

impl Right for Guard {
    fn holds(&self) -> bool {
        self.lease.tenure.load().holds(self.term, Instant::now())
    }

    fn token(&self) -> u64 {
        self.token
    }
}
