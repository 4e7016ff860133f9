//! Keeps failing requests from filling the log: strangers decide how many there are.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines in one [`PERIOD`], at most.
const LINES_MAX: u32 = 20;

const PERIOD: Duration = Duration::from_secs(1);

/// Lets some lines through, and counts the others.
#[derive(Debug)]
pub(crate) struct LogLimit(Mutex<Period>);

#[derive(Debug)]
struct Period {
    start: Instant,
    lines: u32,
    suppressed: u64,
}

impl LogLimit {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(Period { start: now, lines: 0, suppressed: 0 }))
    }

    /// Whether a line may be written: then, how many were not since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(period.start) >= PERIOD {
            period.start = now;
            period.lines = 0;
        }
        if period.lines == LINES_MAX {
            period.suppressed += 1;
            return None;
        }
        period.lines += 1;
        Some(std::mem::take(&mut period.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn flood_is_counted_not_written() {
        let now = Instant::now();
        let limit = LogLimit::new(now);
        let written = (0..100).filter(|_| limit.admit(now).is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(limit.admit(now + PERIOD), Some(80));
        assert_eq!(limit.admit(now + PERIOD), Some(0));
    }
}
