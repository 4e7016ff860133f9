//! Wicker as its users meet it: real hosts, real servers, real components, counted outcomes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::large_futures,
    reason = "a test, and what only tests call, fails by panicking, and its future may be large"
)]

mod alone;
mod backup;
mod blobs;
mod bodies;
mod compose;
mod connections;
mod databases;
mod degraded;
mod examples;
mod failover;
mod gallery;
mod generations;
mod images;
mod isolation;
mod keep;
mod languages;
mod lost;
mod machines;
mod many;
mod messages;
mod operate;
mod partitions;
mod processes;
mod ready;
mod restart;
mod scaling;
mod schedules;
mod secrets;
mod shop;
mod signatures;
mod singletons;
mod site;
mod swap;
mod teams;
mod tokens;
mod up;
mod verbs;
mod weights;
mod wire;

use integration_tests::load;
