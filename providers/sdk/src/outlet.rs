//! A link that leads away from a provider: what happens at its backend becomes calls of its target.
//!
//! A subscription is one: its source is the provider, its target a component, its config says to what.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use wicker_lattice::store::record::Link;
use wicker_process::Tasks;

use crate::client::Client;
use crate::config;
use crate::error::ProviderError;

/// One revision of a link that leads away from the provider.
pub struct Outlet {
    /// What it says.
    pub link: Link,
    /// Calls its target; no longer than the link's timeout.
    pub client: Client,
    /// Owns what works for the link. Asked to stop when the link is gone, replaced, or the provider drains; calls under
    /// way should be finished then.
    pub tasks: Tasks,
    /// Its config, secrets in place.
    pub(crate) settings: BTreeMap<String, String>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("target", &self.link.target).finish_non_exhaustive()
    }
}

impl Outlet {
    /// Its config, read as [`Provider::LinkConfig`](crate::Provider::LinkConfig) is.
    ///
    /// # Errors
    /// [`ProviderError::Config`]: it is not what `T` wants.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        config::read(&self.settings).map_err(|error| ProviderError::config(error.to_string()))
    }
}
