//! What is to be done about a schedule now.
//!
//! A turn takes in what has become due ([`Turn::take_in`]) and what became of deliveries ([`Turn::end`]), and begins what may
//! begin ([`Turn::begin`]). Whoever acts keeps the deliveries under way in memory only: what the record says has begun, and
//! nobody knows of, was interrupted, and is delivered again.

use std::collections::BTreeSet;

use wicker_lattice::store::record::{LastTick, Missed, Overlap, Schedule, Tick, Ticks};

use super::Clockwork;

/// A tick that nobody could begin for so long was missed.
const LATE_MS: i64 = 10_000;

/// Ticks that are pending, or made up for, at most. Older ones are left out.
const PENDING_MAX: usize = 100;

/// Deliveries under way at once, where ticks may overlap.
const RUNNING_MAX: usize = 16;

/// The longest pause between two deliveries of a tick.
const BACKOFF_MAX_MS: u64 = 5 * 60 * 1000;

/// A schedule at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// What should be.
    pub schedule: &'a Schedule,
    /// Its timing, understood.
    pub clockwork: &'a Clockwork,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// What has become due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenIn {
    /// How far the schedule now is.
    pub ticks: Ticks,
    /// Why ticks were left out, if any were; for people.
    pub skipped: Option<String>,
}

/// A delivery that is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Of which tick.
    pub at_ms: i64,
    /// Which delivery of it, from 1.
    pub attempt: u32,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The handler said ok.
    Done,
    /// The handler said no, or failed, or may have: why.
    Failed(String),
    /// Nobody was there to be called: why. It does not count.
    NotCalled(String),
}

/// What became of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is over.
    Done,
    /// It will be delivered again.
    Again,
    /// It is given up, for this reason.
    GivenUp(String),
    /// It was over already.
    Unknown,
}

impl Turn<'_> {
    /// Takes in what has become due since `before`.
    #[must_use]
    pub fn take_in(&self, before: Option<&Ticks>) -> TakenIn {
        let mut ticks = self.ticks(before);
        let (due, left_out) = self.due(ticks.until_ms);
        ticks.skipped += left_out;
        let mut skipped = (left_out > 0).then(|| "nobody could begin them in time".to_owned());
        ticks.until_ms = ticks.until_ms.max(self.now_ms);
        ticks.next_ms = self.clockwork.next_after(ticks.until_ms);
        let is_busy = !ticks.pending.is_empty();
        for (at_ms, is_late) in due {
            let is_left_out = match self.schedule.overlap {
                // What is made up for waits for each other all the same.
                Overlap::Skip => is_busy && !is_late,
                Overlap::Wait | Overlap::Allow => false,
            };
            if is_left_out {
                ticks.skipped += 1;
                skipped = Some("the one before is not over".to_owned());
            } else if ticks.pending.len() >= PENDING_MAX {
                ticks.skipped += 1;
                skipped = Some(format!("{PENDING_MAX} wait already"));
            } else {
                ticks.pending.push(Tick { at_ms, due_ms: at_ms, ..Tick::default() });
            }
        }
        TakenIn { ticks, skipped }
    }

    /// What there was, or a beginning. A schedule whose timing is another one goes on from then.
    fn ticks(&self, before: Option<&Ticks>) -> Ticks {
        let Schedule { id, since_ms, .. } = self.schedule;
        let Some(before) = before else {
            return Ticks {
                schedule: id.clone(),
                since_ms: *since_ms,
                until_ms: *since_ms,
                next_ms: None,
                pending: Vec::new(),
                last: None,
                done: 0,
                failed: 0,
                skipped: 0,
            };
        };
        let until_ms = match before.since_ms == *since_ms {
            true => before.until_ms,
            false => before.until_ms.max(*since_ms),
        };
        Ticks { since_ms: *since_ms, until_ms, ..before.clone() }
    }

    /// What has become due after `until_ms`, the earliest first, and whether each is late; and how many more were, as far
    /// as they were counted.
    fn due(&self, until_ms: i64) -> (Vec<(i64, bool)>, u64) {
        let mut due = Vec::new();
        let mut at = self.now_ms;
        while let Some(last) = self.clockwork.last_until(at).filter(|last| *last > until_ms) {
            due.push((last, last < self.now_ms - LATE_MS));
            at = last - 1;
            if due.len() > PENDING_MAX {
                break;
            }
        }
        let found = due.len();
        let mut late_kept = 0;
        due.retain(|(_, is_late)| {
            late_kept += usize::from(*is_late);
            match self.schedule.missed {
                _ if !is_late => true,
                Missed::Skip => false,
                Missed::Once => late_kept == 1,
                Missed::All => true,
            }
        });
        due.truncate(PENDING_MAX);
        due.reverse();
        let left_out = found - due.len();
        (due, left_out as u64)
    }

    /// Begins what may begin beside the deliveries that are `running`, by the times of their ticks.
    #[must_use]
    pub fn begin(&self, ticks: &mut Ticks, running: &BTreeSet<i64>) -> Vec<Delivery> {
        let may_run = match self.schedule.overlap {
            Overlap::Allow => RUNNING_MAX,
            Overlap::Skip | Overlap::Wait => 1,
        };
        let mut begun = Vec::new();
        // Where ticks may not overlap the first in the queue holds up the others, also while it pauses.
        let queue = match self.schedule.overlap {
            Overlap::Allow => ticks.pending.len(),
            Overlap::Skip | Overlap::Wait => 1,
        };
        for tick in ticks.pending.iter_mut().take(queue) {
            let is_due = tick.due_ms <= self.now_ms && !running.contains(&tick.at_ms);
            if is_due && running.len() + begun.len() < may_run {
                tick.deliveries += 1;
                begun.push(Delivery { at_ms: tick.at_ms, attempt: tick.deliveries });
            }
        }
        begun
    }

    /// Takes in what became of a delivery. `jitter` stretches the pause before the next one, around 1.
    pub fn end(&self, ticks: &mut Ticks, at_ms: i64, outcome: &Outcome, jitter: f64) -> Ended {
        let Some(index) = ticks.pending.iter().position(|tick| tick.at_ms == at_ms) else {
            return Ended::Unknown;
        };
        let Some(tick) = ticks.pending.get_mut(index) else { return Ended::Unknown };
        let error = match outcome {
            Outcome::Done => None,
            Outcome::Failed(error) => {
                tick.failures += 1;
                Some(error.clone())
            }
            Outcome::NotCalled(error) => {
                tick.deliveries = tick.deliveries.saturating_sub(1);
                Some(error.clone())
            }
        };
        if error.is_some() && tick.failures < self.schedule.attempts.max(1) {
            tick.due_ms = self.now_ms.saturating_add(self.pause(tick.pauses, jitter));
            tick.pauses += 1;
            tick.error = error;
            return Ended::Again;
        }
        let deliveries = tick.deliveries;
        ticks.pending.remove(index);
        ticks.last =
            Some(LastTick { at_ms, ended_ms: self.now_ms, deliveries, error: error.clone() });
        match error {
            None => {
                ticks.done += 1;
                Ended::Done
            }
            Some(error) => {
                ticks.failed += 1;
                Ended::GivenUp(error)
            }
        }
    }

    fn pause(&self, before: u32, jitter: f64) -> i64 {
        let doubled = self.schedule.backoff_ms.saturating_mul(1 << before.min(30));
        let pause = std::time::Duration::from_millis(doubled.min(BACKOFF_MAX_MS)).mul_f64(jitter);
        i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
    }

    /// When there is something to do next, if nothing ends before.
    #[must_use]
    pub fn wake_ms(&self, ticks: &Ticks, running: &BTreeSet<i64>) -> Option<i64> {
        let queue = match self.schedule.overlap {
            Overlap::Allow => ticks.pending.len(),
            Overlap::Skip | Overlap::Wait => 1,
        };
        let waiting =
            ticks.pending.iter().take(queue).filter(|tick| !running.contains(&tick.at_ms));
        waiting.map(|tick| tick.due_ms).chain(ticks.next_ms).min()
    }
}
