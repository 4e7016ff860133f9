//! The harness of the integration tests: real nats-servers, real hosts, real components, on free ports and in
//! directories of their own. Nothing outlives the test that started it.
//!
//! A test reads like what an operator would do: [`TestLattice::start`], [`TestLattice::host`], `wicker` verbs, requests.
//! Nothing sleeps; [`eventually`] waits for a condition, with a deadline.

mod alone;
mod events;
mod files;
mod host;
mod lattice;
pub mod load;
mod machines;
mod namespaces;
mod redis;
mod registry;
mod wait;
mod web;

pub use alone::LoneHost;
pub use events::TestEvents;
pub use host::{TestHost, compile, peak_memory_bytes, program};
pub use lattice::TestLattice;
pub use machines::{TestMachines, verb};
pub use namespaces::{Cut, Namespaces};
pub use redis::Redis;
pub use registry::Registry;
pub use wait::{WAIT, eventually};
pub use web::{Answer, Web};
