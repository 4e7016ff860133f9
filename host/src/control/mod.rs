//! Makes this host what the lattice's state says it should be, and says what it is.
//!
//! One task, [`Control`], owns the pure [`State`](crate::state::State) and writes the tables that requests read. It is
//! fed by `watch` (what the state says), by `start` (what came of a start) and by the passing of time; what it
//! decides is carried out by tasks of their own, so that nothing slow stands in its way. `status` writes what this
//! host runs, `lease` that it lives.

mod bind;
mod carry;
mod exports;
mod generations;
mod lease;
mod load;
mod probe;
mod records;
mod say;
mod secrets;
mod see;
mod start;
mod status;
mod task;
mod trust;
mod watch;

pub use lease::Lease;
pub use start::{Handle, Started, Starter};
pub use status::{Status, StatusWrite};
pub use task::{Control, ControlHandle, Input, Parts};
