//! Time of day, passed in so that tests decide what it is. For display only: deadlines and leases use
//! `tokio::time::Instant`, which no administrator can turn back.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tells the time of day, UTC.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that stands at `seconds` since 1970.
    #[must_use]
    pub fn fixed(seconds: i64) -> Self {
        let time =
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(Arc::new(move || time))
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        (self.0)().unix_timestamp()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        let millis = (self.0)().unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis).unwrap_or(i64::MAX)
    }

    /// The time as RFC 3339 in UTC to the millisecond: `2026-11-20T17:31:55.120Z`.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        let now = (self.0)();
        let millisecond = u32::from(now.millisecond()) * 1_000_000;
        let now = now.replace_nanosecond(millisecond).unwrap_or(now);
        now.format(&Rfc3339).unwrap_or_default()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_clock_prints_its_time() {
        assert_eq!(Clock::fixed(0).rfc3339(), "1970-01-01T00:00:00Z");
    }
}
