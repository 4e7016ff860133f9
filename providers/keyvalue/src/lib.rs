//! wasi:keyvalue for any backend: a backend implements [`KeyValue`] and serves `store`, `atomics` and `batch` of both
//! drafts that components in the wild are built for.
//!
//! What the drafts say differently (cursors, signs, the shape of `get-many`, compare-and-swap) is settled here, once,
//! so that a backend says only what is its own. A bucket handle is the bucket's name, and a compare-and-swap handle is
//! bucket, key and version: nothing is kept between calls. [`number`] is how every backend keeps counters.

pub mod backend;
mod cas;
pub mod draft;
pub mod draft2;
pub mod number;
mod store;

pub use backend::{Failure, KeyValue, Page, Swap, Version};
pub use cas::Cas;
use wicker_provider::Interfaces;

/// Everything that a link `L` serves.
#[must_use]
pub fn interfaces<L: KeyValue>() -> Interfaces<L> {
    Interfaces::new()
        .with(draft::store::serve())
        .with(draft::atomics::serve())
        .with(draft::batch::serve())
        .with(draft2::store::serve())
        .with(draft2::atomics::serve())
        .with(draft2::batch::serve())
}
