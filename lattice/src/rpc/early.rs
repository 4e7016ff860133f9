//! Cancels that overtook their request. The two arrive through different subscriptions, so either may come first.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::keys::AttemptKey;
use super::table::lock;

/// Remembered at once, at most. One that is forgotten costs a call that nobody waits for, until its deadline.
const LEN_MAX: usize = 1024;

/// How long a request may lag behind its cancel.
const KEPT_MS: u64 = 5_000;

/// How often old ones are looked for.
const SWEEP_EVERY_MS: u64 = 1_000;

#[derive(Default)]
pub(super) struct EarlyCancels {
    /// Zero nearly always, and then nothing is locked.
    len: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    came_ms: HashMap<AttemptKey, u64>,
    swept_ms: u64,
}

impl EarlyCancels {
    pub(super) fn remember(&self, key: AttemptKey, now_ms: u64) {
        let mut kept = lock(&self.kept);
        kept.sweep(now_ms);
        if kept.came_ms.len() < LEN_MAX {
            kept.came_ms.insert(key, now_ms);
        }
        self.len.store(kept.came_ms.len(), Ordering::Release);
    }

    /// Whether this request was cancelled before it came; asked once.
    pub(super) fn take(&self, key: &AttemptKey, now_ms: u64) -> bool {
        if self.len.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut kept = lock(&self.kept);
        let is_cancelled = kept.came_ms.remove(key).is_some();
        kept.sweep(now_ms);
        self.len.store(kept.came_ms.len(), Ordering::Release);
        is_cancelled
    }
}

impl Kept {
    fn sweep(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY_MS {
            self.swept_ms = now_ms;
            self.came_ms.retain(|_, came| now_ms.saturating_sub(*came) < KEPT_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProcessId;
    use crate::subject::Attempt;

    #[test]
    fn cancel_is_remembered_once_and_not_for_ever() {
        let early = EarlyCancels::default();
        let process = ProcessId::generate();
        early.remember((process, Attempt(1)), 0);
        early.remember((process, Attempt(2)), 0);
        assert!(early.take(&(process, Attempt(1)), 10));
        assert!(!early.take(&(process, Attempt(1)), 10));
        assert!(!early.take(&(process, Attempt(9)), KEPT_MS));
        assert!(!early.take(&(process, Attempt(2)), KEPT_MS));
    }

    #[test]
    fn flood_of_cancels_is_bounded() {
        let early = EarlyCancels::default();
        let process = ProcessId::generate();
        for attempt in 0..5_000 {
            early.remember((process, Attempt(attempt)), 0);
        }
        assert_eq!(lock(&early.kept).came_ms.len(), LEN_MAX);
    }
}
