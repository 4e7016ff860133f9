//! One of several by weight: who serves a call where several share them. One alone costs nothing to pick.

use std::collections::BTreeSet;

/// All that a draw may be, and one more.
const DRAWS: u64 = 1 << 32;

/// Values that a draw falls on in proportion to their weights. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted<T> {
    /// Ascending by `below`; the last ends at [`DRAWS`].
    parts: Vec<Part<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part<T> {
    /// Draws below this, and not below the part before, fall here.
    below: u64,
    value: T,
}

impl<T> From<T> for Weighted<T> {
    fn from(value: T) -> Self {
        Self { parts: vec![Part { below: DRAWS, value }] }
    }
}

impl<T> Weighted<T> {
    /// Values with their weights; `None` where all weights are 0.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (T, u32)>) -> Option<Self> {
        let values: Vec<(T, u32)> = values.into_iter().filter(|(_, weight)| *weight > 0).collect();
        let total: u64 = values.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut sum = 0;
        let parts: Vec<Part<T>> = values
            .into_iter()
            .map(|(value, weight)| {
                sum += u64::from(weight);
                let below = (u128::from(sum) * u128::from(DRAWS)).div_ceil(u128::from(total));
                Part { below: u64::try_from(below).unwrap_or(DRAWS), value }
            })
            .collect();
        (!parts.is_empty()).then_some(Self { parts })
    }

    /// One of them, drawn at random.
    #[must_use]
    pub fn pick(&self) -> &T {
        match self.parts.as_slice() {
            [only] => &only.value,
            _ => self.at(fastrand::u32(..)),
        }
    }

    /// The one that `draw` falls on.
    #[must_use]
    #[expect(clippy::expect_used, reason = "every draw is below the end of the last part")]
    pub fn at(&self, draw: u32) -> &T {
        let mut parts = self.parts.iter();
        let part = parts.find(|part| u64::from(draw) < part.below);
        &part.expect("the last part ends above every draw").value
    }

    /// Everything that may be drawn.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().map(|part| &part.value)
    }

    /// What `make` makes of each way in which *one* draw can fall on all of `several`: who is drawn for one is drawn with
    /// the same share of the others.
    pub fn together<A>(several: &[Weighted<A>], make: impl Fn(Vec<&A>) -> T) -> Self {
        let ends: BTreeSet<u64> = several
            .iter()
            .flat_map(|each| &each.parts)
            .map(|part| part.below)
            .chain([DRAWS])
            .collect();
        let part = |below: u64| {
            let last = u32::try_from(below - 1).unwrap_or(u32::MAX);
            Part { below, value: make(several.iter().map(|each| each.at(last)).collect()) }
        };
        Self { parts: ends.into_iter().map(part).collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of a thousand evenly spaced draws fall on `value`.
    fn share<T: PartialEq>(weighted: &Weighted<T>, value: &T) -> usize {
        let draws = (0..1000_u64).map(|n| u32::try_from((n * DRAWS).div_ceil(1000)).unwrap());
        draws.filter(|draw| weighted.at(*draw) == value).count()
    }

    #[test]
    fn draws_fall_by_weight() {
        let weighted = Weighted::new([("old", 90), ("new", 10), ("off", 0)]).unwrap();
        assert_eq!((share(&weighted, &"old"), share(&weighted, &"new")), (900, 100));
        assert_eq!(weighted.values().collect::<Vec<_>>(), [&"old", &"new"]);
        assert_eq!(weighted.at(u32::MAX), &"new");
        assert!(Weighted::new([("off", 0)]).is_none());
    }

    #[test]
    fn one_draw_decides_for_all() {
        let [a, b] = [[("a", 90), ("A", 10)], [("b", 50), ("B", 50)]]
            .map(|each| Weighted::new(each).unwrap());
        let both = Weighted::together(&[a, b, Weighted::from("c")], |each| {
            each.into_iter().copied().collect::<String>()
        });
        let shares = ["abc", "aBc", "ABc"].map(|each| share(&both, &each.to_owned()));
        assert_eq!(shares, [500, 400, 100]);
        assert_eq!(Weighted::together(&[] as &[Weighted<u8>], |each| each.len()).at(7), &0);
    }

    proptest! {
        #[test]
        fn every_draw_falls_on_one_with_a_weight(weights in prop::collection::vec(any::<u32>(), 1..6), draw: u32) {
            let drawn = Weighted::new(weights.iter().copied().enumerate());
            prop_assert_eq!(drawn.is_none(), weights.iter().all(|weight| *weight == 0));
            if let Some(drawn) = drawn {
                prop_assert!(weights[*drawn.at(draw)] > 0);
            }
        }
    }
}
