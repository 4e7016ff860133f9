//! How much one team has used of one export, here. Counted where the callee runs; nothing is shared between hosts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use tokio::time::Instant;

use crate::call::{ByteStream, CallError, Status};
use crate::id::ObjectId;
use crate::store::record::Quota;

/// One team's use of one export.
#[derive(Debug)]
pub(super) struct Meter {
    quota: Quota,
    inside: AtomicU32,
    /// Held for a few additions at a time.
    left: Mutex<Left>,
}

/// What may still be used.
#[derive(Debug, Default)]
struct Left {
    calls: Allowance,
    bytes: Allowance,
}

/// What is left of an allowance that fills up by its rate, to one second's worth. Below zero: a debt.
#[derive(Debug, Default)]
struct Allowance {
    left: f64,
    /// `None`: it was never used, and is full.
    at: Option<Instant>,
}

/// One call inside.
#[derive(Debug)]
pub(super) struct Place {
    meter: Arc<Meter>,
}

impl Meter {
    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, inside: AtomicU32::new(0), left: Mutex::default() }
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    /// Lets a call in, unless something is used up.
    pub(super) fn enter(
        self: &Arc<Self>,
        team: &str,
        export: &ObjectId,
        now: Instant,
    ) -> Result<Option<Arc<Place>>, CallError> {
        let over = |what: String| {
            let message =
                format!("team `{team}` has used up its quota of {export}: {what} on each host");
            Err(CallError::new(Status::Overloaded, message))
        };
        let Quota { calls_per_second, concurrency, bytes_per_second } = self.quota;
        // Taken first: it is given back wherever the call is refused.
        let inside = self.inside.fetch_add(1, Ordering::AcqRel);
        let place = Arc::new(Place { meter: Arc::clone(self) });
        if let Some(most) = concurrency.filter(|most| inside >= *most) {
            return over(format!("{most} calls at once"));
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rate) = bytes_per_second
            && left.bytes.refill(to_f64(rate), now) <= 0.0
        {
            return over(format!("{rate} bytes a second"));
        }
        if let Some(rate) = calls_per_second {
            if left.calls.refill(f64::from(rate), now) < 1.0 {
                return over(format!("{rate} calls a second"));
            }
            left.calls.left -= 1.0;
        }
        Ok(Some(place))
    }
}

impl Allowance {
    /// Adds what has come since it was last asked; what is there now.
    fn refill(&mut self, rate: f64, now: Instant) -> f64 {
        self.left = match self.at.replace(now) {
            Some(at) => {
                let since = now.saturating_duration_since(at).as_secs_f64();
                since.mul_add(rate, self.left).min(rate)
            }
            None => rate,
        };
        self.left
    }
}

impl Place {
    /// Counts bytes that crossed.
    pub(super) fn count(&self, bytes: usize) {
        if self.meter.quota.bytes_per_second.is_some() {
            let mut left = self.meter.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.bytes.left -= to_f64(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Counts what flows, and stays inside for as long.
    pub(super) fn watch(self: &Arc<Self>, stream: ByteStream) -> ByteStream {
        let place = Arc::clone(self);
        ByteStream::new(stream.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                place.count(chunk.len());
            }
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.meter.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes beyond 2^53 a second are not told apart")]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}
