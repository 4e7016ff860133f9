//! Another process, as this host's calls see it: how to reach it, how busy it seems, whether it was silent lately.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::call::Invoke;
use wicker_lattice::id::ProcessId;

/// How long a process is avoided after it was silent once; doubles while it stays so.
const AVOID_FIRST: Duration = Duration::from_secs(1);

/// The longest: a process that came back is noticed within this, if nobody else says so before.
const AVOID_MAX: Duration = Duration::from_secs(30);

/// One other process. Shared by all calls to it, and kept over rebuilds of the tables.
pub struct Peer {
    process: ProcessId,
    remote: Arc<dyn Invoke>,
    outstanding: AtomicU32,
    /// Milliseconds after `since`; 0: it is not avoided.
    avoided_until: AtomicU64,
    /// Silences in a row.
    strikes: AtomicU32,
    since: Instant,
}

impl Peer {
    /// A process that nobody has called yet, reached through `remote`.
    #[must_use]
    pub fn new(process: ProcessId, remote: Arc<dyn Invoke>) -> Self {
        let (outstanding, strikes) = (AtomicU32::new(0), AtomicU32::new(0));
        Self {
            process,
            remote,
            outstanding,
            avoided_until: AtomicU64::new(0),
            strikes,
            since: Instant::now(),
        }
    }

    /// Which process.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// One attempt to call it.
    #[must_use]
    pub fn remote(&self) -> &dyn Invoke {
        self.remote.as_ref()
    }

    /// Calls of this host that it has not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Counts a call until the guard is dropped.
    #[must_use]
    pub fn count(&self) -> Outstanding<'_> {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Outstanding(self)
    }

    /// It did not answer: calls go elsewhere for a while, longer each time in a row, if there is an elsewhere.
    pub fn avoid(&self) {
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed);
        let pause = (AVOID_FIRST * 2_u32.pow(strikes.min(10))).min(AVOID_MAX);
        let until = (self.since.elapsed() + pause).as_millis();
        self.avoided_until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A call is about to find out whether it answers again; meanwhile the others still go elsewhere.
    pub fn probe(&self) {
        if self.strikes.load(Ordering::Relaxed) > 0 && !self.is_avoided() {
            let until = (self.since.elapsed() + AVOID_FIRST).as_millis();
            self.avoided_until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// It answered: nothing speaks against it.
    pub fn trust(&self) {
        // Read first: the line stays shared between the cores of a host that calls it a lot.
        if self.strikes.load(Ordering::Relaxed) != 0 {
            self.strikes.store(0, Ordering::Relaxed);
            self.avoided_until.store(0, Ordering::Relaxed);
        }
    }

    /// Whether calls should go elsewhere.
    #[must_use]
    pub fn is_avoided(&self) -> bool {
        match self.avoided_until.load(Ordering::Relaxed) {
            0 => false,
            until => self.since.elapsed().as_millis() < u128::from(until),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("process", &self.process)
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}

/// A call under way.
#[derive(Debug)]
pub struct Outstanding<'a>(&'a Peer);

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wicker_lattice::call::{Call, CallError, Invocation, Status};

    struct Nobody;

    impl Invoke for Nobody {
        fn invoke(&self, _call: Call) -> Invocation<'_> {
            Box::pin(async { Err(CallError::new(Status::Unavailable, "nobody")) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silent_process_is_avoided_longer_each_time() {
        let peer = Peer::new(ProcessId::generate(), Arc::new(Nobody));
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            peer.avoid();
            tokio::time::advance(Duration::from_secs(expected) - Duration::from_millis(1)).await;
            assert!(peer.is_avoided());
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(!peer.is_avoided());
        }
        peer.avoid();
        peer.trust();
        assert!(!peer.is_avoided());
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_call_probes_a_process_that_was_silent() {
        let peer = Peer::new(ProcessId::generate(), Arc::new(Nobody));
        peer.probe();
        assert!(!peer.is_avoided(), "one that was never silent is not probed but called");
        peer.avoid();
        tokio::time::advance(AVOID_FIRST).await;
        peer.probe();
        assert!(peer.is_avoided());
    }
}
