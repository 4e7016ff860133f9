//! The times at which a schedule is due.
//!
//! When clocks go forward, an expression that names an hour and a minute is due at the first moment after the gap, and one
//! that is due again and again leaves the gap out. When they go back, the former is due once, at the earlier of the two
//! moments, and the latter at both.

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use wicker_lattice::store::record::Timing;

/// Some moment, for the question whether an expression is ever due: 2026-01-01T00:00:00Z.
const SOME_TIME_MS: i64 = 1_767_225_600_000;

/// A [`Timing`], understood.
#[derive(Debug, Clone)]
pub struct Clockwork(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron { cron: Box<Cron>, zone: TimeZone },
    Every { ms: i64, since_ms: i64 },
    Once { at_ms: i64 },
}

/// A timing that cannot be understood. Which part of it, and why, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The expression.
    #[error("`{0}` is no cron expression: {1}")]
    Expression(String, String),
    /// The expression is well-formed, and no day has that date.
    #[error("`{0}` is never due")]
    Never(String),
    /// The time zone.
    #[error("`{0}` is no time zone")]
    Zone(String),
    /// The time.
    #[error("`{0}` is no time")]
    Time(String),
}

impl Clockwork {
    /// Understands `timing`; intervals count from `since_ms`.
    ///
    /// # Errors
    /// As [`TimingError`] says.
    pub fn new(timing: &Timing, since_ms: i64) -> Result<Self, TimingError> {
        match timing {
            Timing::Cron { expression, zone } => {
                let zone = TimeZone::get(zone).map_err(|_| TimingError::Zone(zone.clone()))?;
                let cron: Cron =
                    expression.parse().map_err(|error: croner::errors::CronError| {
                        TimingError::Expression(expression.clone(), error.to_string())
                    })?;
                let clockwork = Self(Kind::Cron { cron: Box::new(cron), zone });
                match clockwork.next_after(SOME_TIME_MS) {
                    Some(_) => Ok(clockwork),
                    None => Err(TimingError::Never(expression.clone())),
                }
            }
            Timing::Every(ms) => {
                let ms = i64::try_from(*ms).unwrap_or(i64::MAX).max(1);
                Ok(Self(Kind::Every { ms, since_ms }))
            }
            Timing::Once(at) => {
                let time: Timestamp = at.parse().map_err(|_| TimingError::Time(at.clone()))?;
                Ok(Self(Kind::Once { at_ms: time.as_millisecond() }))
            }
        }
    }

    /// The first time after `ms`, milliseconds since 1970; `None`: never again.
    #[must_use]
    pub fn next_after(&self, ms: i64) -> Option<i64> {
        match &self.0 {
            Kind::Cron { cron, zone } => {
                let next = cron.find_next_occurrence(&zoned(ms, zone)?, false).ok()?;
                Some(next.timestamp().as_millisecond())
            }
            Kind::Every { ms: every, since_ms } => {
                let passed = ms.saturating_sub(*since_ms).div_euclid(*every).max(0);
                passed.checked_add(1)?.checked_mul(*every)?.checked_add(*since_ms)
            }
            Kind::Once { at_ms } => (*at_ms > ms).then_some(*at_ms),
        }
    }

    /// The last time at or before `ms`.
    #[must_use]
    pub fn last_until(&self, ms: i64) -> Option<i64> {
        match &self.0 {
            Kind::Cron { cron, zone } => {
                let last = cron.find_previous_occurrence(&zoned(ms, zone)?, true).ok()?;
                Some(last.timestamp().as_millisecond())
            }
            Kind::Every { ms: every, since_ms } => {
                let passed = ms.checked_sub(*since_ms)?.div_euclid(*every);
                (passed > 0).then(|| since_ms.saturating_add(passed.saturating_mul(*every)))
            }
            Kind::Once { at_ms } => (*at_ms <= ms).then_some(*at_ms),
        }
    }

    /// A time as RFC 3339, with the offset that this schedule's zone has then.
    #[must_use]
    pub fn print(&self, ms: i64) -> String {
        match &self.0 {
            Kind::Cron { zone, .. } => {
                let zoned = zoned(ms, zone);
                zoned.map(|zoned| rfc3339_of(&zoned)).unwrap_or_default()
            }
            Kind::Every { .. } | Kind::Once { .. } => rfc3339(ms),
        }
    }
}

/// A time as RFC 3339 in UTC; to the second, where it is a whole one.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default()
}

fn rfc3339_of(zoned: &Zoned) -> String {
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// To the second: that is what the clocks of an expression show.
fn zoned(ms: i64, zone: &TimeZone) -> Option<Zoned> {
    let time = Timestamp::from_second(ms.div_euclid(1000)).ok()?;
    Some(time.to_zoned(zone.clone()))
}
