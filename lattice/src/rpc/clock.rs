//! The pace of lattice RPC, and the clock by which it beats.

use std::time::Duration;

use tokio::time::Instant;

/// A callee that has not answered by then says that it is at it.
pub const ACCEPT_AFTER: Duration = Duration::from_millis(50);

/// How often the two ends of whatever is under way show that they live.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Three missed beats: whoever is silent for so long is taken for lost.
pub const SILENCE: Duration = Duration::from_secs(3);

/// Milliseconds since it was made: for silence and beats, small enough to be kept in an atomic.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.ms_at(Instant::now())
    }

    /// The same, of a clock that was read already.
    pub(super) fn ms_at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.0);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
