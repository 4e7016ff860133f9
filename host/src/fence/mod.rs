//! Singletons: what runs on one host at most, whatever freezes, dies or is cut off.
//!
//! Two things protect them. A *claim*, one record written by compare-and-swap (`claim`), says which host may run one; it is
//! anybody's once its host has let go, left, or is marked as lost. And each host trusts its own clock more than its luck:
//! a [`Guard`] ends with the host's lease, earlier than others may believe, and from then on nothing goes in or out
//! ([`Fenced`], [`hold`]); a provider in a process of its own asks its host how long it still may (`crate::provider`). The claim's revision goes along with every call that a singleton makes, so that a callee which
//! has heard of a later claim refuses what was held up on its way.

mod claim;
mod own;

pub use claim::{claim, release, release_all};
pub use own::{Guard, OwnLease};
pub use wicker_lattice::fence::{Fenced, Sender, hold};
