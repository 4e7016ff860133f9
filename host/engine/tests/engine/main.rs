//! The engine from outside: guests made on the spot, called through the one boundary, calling out through links.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests: what is not as it should be ends them"
)]

mod guest;
mod harness;
#[path = "../../../../lattice/tests/wire/tree.rs"]
mod tree;

mod actors;
mod cache;
mod codec;
mod compile;
mod handles;
mod limits;
mod links;
mod ready;
mod reuse;
mod streams;
