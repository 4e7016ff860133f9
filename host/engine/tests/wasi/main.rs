//! Real guests, built from source, in a real engine: what they are given, what they are denied, and what they cannot
//! do to their neighbours.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where its expectations do"
)]

mod command;
mod http;
mod limits;
mod outgoing;
mod sandbox;
mod server;
mod support;
