//! Another process, as this host's calls see it: how to reach it, how busy it seems, whether it was silent lately.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::call::Invoke;
use wicker_lattice::id::ProcessId;

/// One other process. Shared by all calls to it, and kept over rebuilds of the tables.
pub struct Peer {
    process: ProcessId,
    remote: Arc<dyn Invoke>,
    outstanding: AtomicU32,
    /// Milliseconds after `since`; 0: it is not avoided.
    avoided_until: AtomicU64,
    since: Instant,
}

impl Peer {
    /// A process that nobody has called yet, reached through `remote`.
    #[must_use]
    pub fn new(process: ProcessId, remote: Arc<dyn Invoke>) -> Self {
        let (outstanding, avoided_until) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { process, remote, outstanding, avoided_until, since: Instant::now() }
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

    /// Calls go elsewhere for `pause`, if there is an elsewhere.
    pub fn avoid(&self, pause: Duration) {
        let until = (self.since.elapsed() + pause).as_millis();
        self.avoided_until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It answered: nothing speaks against it.
    pub fn trust(&self) {
        // Read first: the line stays shared between the cores of a host that calls it a lot.
        if self.avoided_until.load(Ordering::Relaxed) != 0 {
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
