//! What makes one host better than another.

use wicker_lattice::id::ProcessId;

use super::HostView;

/// How well a host suits: the least is the best, and earlier fields count first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    /// Replicas that were given to hosts of the same label value.
    pub(super) there_already: usize,
    pub(super) is_new: bool,
    pub(super) wishes_missed: usize,
    /// See [`HostView::pressure`].
    pub(super) pressure: u8,
    /// Objects that are placed there.
    pub(super) placed: usize,
    /// Decides between equals.
    pub(super) rank: u64,
}

/// The hosts that were taken, in this order, and those that were not.
#[derive(Debug, Default)]
pub(super) struct Picked<'h> {
    pub(super) hosts: Vec<(ProcessId, Score)>,
    pub(super) left: Vec<(&'h HostView, Score)>,
}

impl Score {
    /// Why this host was taken and not one with the score `other`, for people.
    pub(super) fn advantage(&self, other: &Self) -> String {
        if self.there_already != other.there_already {
            "fewer replicas are in its part of the spread".to_owned()
        } else if self.is_new != other.is_new {
            "it runs there already".to_owned()
        } else if self.wishes_missed != other.wishes_missed {
            "it meets more of the preferences".to_owned()
        } else if self.pressure != other.pressure {
            "it is less busy".to_owned()
        } else if self.placed != other.placed {
            let (few, many) = (self.placed, other.placed);
            format!("fewer objects are placed there: {few}, not {many}")
        } else {
            "no difference: the ids decided".to_owned()
        }
    }
}
