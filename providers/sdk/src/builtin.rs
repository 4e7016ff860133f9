//! An implementation as a host's registry lists it: by name, with no type left to know.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use wicker_lattice::store::record::Sharing;
use wicker_lattice::types::World;

use crate::error::ProviderError;
use crate::instance::{self, ProviderInstance};
use crate::provider::{Provider, ProviderStart};

/// A provider implementation that is linked into this program.
///
/// The host's registry is a list of these: `[Builtin::of::<Redb>(), Builtin::of::<Redis>()]`.
#[derive(Clone, Copy)]
pub struct Builtin {
    name: &'static str,
    sharing: Sharing,
    world: fn() -> World,
    start: fn(ProviderStart) -> Starting,
}

/// A provider that is starting.
pub type Starting = BoxFuture<'static, Result<Arc<dyn ProviderInstance>, ProviderError>>;

impl Builtin {
    /// The entry of `P`.
    #[must_use]
    pub const fn of<P: Provider>() -> Self {
        Self {
            name: P::IMPLEMENTATION,
            sharing: P::SHARING,
            world: instance::world_of::<P>,
            start: |start| Box::pin(instance::start::<P>(start)),
        }
    }

    /// The name under which manifests and the command line know it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether several processes may run it at once.
    #[must_use]
    pub const fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// What it serves.
    #[must_use]
    pub fn world(&self) -> World {
        (self.world)()
    }

    /// Starts it in this process.
    ///
    /// # Errors
    /// The config cannot work, or the backend cannot be reached.
    pub fn start(&self, start: ProviderStart) -> Starting {
        (self.start)(start)
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builtin")
            .field("name", &self.name)
            .field("sharing", &self.sharing)
            .finish_non_exhaustive()
    }
}
