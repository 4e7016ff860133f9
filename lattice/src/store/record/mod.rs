//! What the values of the store say. Each is JSON; unknown fields are ignored by older readers, so that version N
//! reads what N+1 wrote; a field that must not be ignored needs a new [`SCHEMA_VERSION`].

mod export;
mod schedule;
mod secret;
mod servers;
mod spec;
mod status;
mod team;

pub use export::*;
pub use schedule::*;
pub use secret::*;
pub use servers::*;
pub use spec::*;
pub use status::*;
pub use team::*;

use serde::{Deserialize, Serialize};

/// The version of everything in this module. A host refuses a lattice of another version.
pub const SCHEMA_VERSION: u32 = 1;

/// Key `lattice`: what kind of lattice this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lattice {
    /// See [`SCHEMA_VERSION`].
    pub version: u32,
}
