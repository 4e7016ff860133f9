//! How many hosts a component wants by what it has to do: more at once, fewer after a while.

use std::collections::VecDeque;

use wicker_lattice::store::record::Scaling;

/// Measurements that count as one: calls come in bursts.
const SMOOTHED: usize = 3;

/// Measurements that are remembered at most: ten minutes of them.
const REMEMBERED_MAX: usize = 600;

/// What was measured lately, once a second.
#[derive(Debug, Default)]
pub(super) struct Scale {
    /// Calls that ran or waited on all hosts, the newest last.
    recent: VecDeque<u32>,
    /// The hosts that each measurement would want, the newest last.
    wants: VecDeque<usize>,
}

impl Scale {
    /// Takes in how many calls run or wait; whether another number of hosts is wanted now.
    pub(super) fn measure(&mut self, scaling: &Scaling, calls: u32, placed: usize) -> bool {
        let before = self.wanted();
        let remembered = usize::try_from(scaling.after_ms / 1000).unwrap_or(REMEMBERED_MAX);
        if self.wants.is_empty() {
            // Whoever looks at it for the first time leaves it as it is for a while.
            self.wants.push_back(placed);
        }
        push(&mut self.recent, calls, SMOOTHED);
        let (sum, count) = (self.recent.iter().sum::<u32>(), self.recent.len());
        let mean = sum.div_ceil(u32::try_from(count).unwrap_or(u32::MAX));
        let wants =
            usize::try_from(mean.div_ceil(scaling.concurrency.max(1))).unwrap_or(usize::MAX);
        push(&mut self.wants, wants, remembered.clamp(1, REMEMBERED_MAX));
        self.wanted() != before
    }

    /// As many as any measurement wanted that is remembered: what is less busy for a moment keeps what it has. `None`:
    /// nothing was measured yet.
    pub(super) fn wanted(&self) -> Option<usize> {
        self.wants.iter().max().copied()
    }
}

fn push<T>(values: &mut VecDeque<T>, value: T, max: usize) {
    values.push_back(value);
    while values.len() > max {
        values.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaling(seconds: u64) -> Scaling {
        Scaling { max: 10, concurrency: 4, after_ms: seconds * 1000 }
    }

    #[test]
    fn more_hosts_at_once_and_fewer_after_a_while() {
        let mut scale = Scale::default();
        let mut measure = |calls: &[u32]| {
            calls.iter().for_each(|calls| _ = scale.measure(&scaling(5), *calls, 2));
            scale.wanted()
        };
        assert_eq!(measure(&[0]), Some(2), "it begins with what there is");
        assert_eq!(measure(&[0, 0, 0, 0]), Some(0), "nothing to do for five seconds");
        assert_eq!(measure(&[20, 20, 20]), Some(5), "three measurements count as one");
        assert_eq!(measure(&[0, 0, 0, 0]), Some(5), "less busy for a moment");
        assert_eq!(measure(&[0, 0, 0]), Some(0));
    }

    #[test]
    fn only_another_number_is_news() {
        let mut scale = Scale::default();
        assert!(scale.measure(&scaling(60), 4, 1));
        assert!(!scale.measure(&scaling(60), 3, 1));
        assert!(scale.measure(&scaling(60), 9, 1));
    }
}
