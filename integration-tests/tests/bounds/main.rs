//! What the protocol promises within a time, asserted: apart from other tests, and one after the other, so that nothing but
//! the protocol takes it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test, and what only tests call, fails by panicking, and its future may be large"
)]

mod failover;
mod revocation;

/// Held by the test that runs.
static ALONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
