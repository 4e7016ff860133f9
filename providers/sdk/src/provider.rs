//! The one trait that a provider implements, and what it is given.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use wicker_lattice::call::Invoke;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Link, Sharing};
use wicker_process::Tasks;

use crate::error::ProviderError;
use crate::gate::Limits;
use crate::interface::Interfaces;
use crate::link::LinkSource;
use crate::outlet::Outlet;

/// Native code that serves interfaces over links.
///
/// One value is one running provider. Dropping it ends it: what it holds closes with it.
pub trait Provider: Sized + Send + Sync + 'static {
    /// The name under which manifests and the command line know this implementation: `keyvalue-redis`.
    const IMPLEMENTATION: &'static str;

    /// [`Sharing::Exclusive`] where the state is in the provider, so that two of them would split it.
    const SHARING: Sharing;

    /// Whether its functions compute for some 50 µs at most before they wait for something or end, whatever they are
    /// given. Calls from other processes then begin on the thread that reads them, which saves most of their cost beside
    /// the network; one that kept that thread for long would delay everybody's messages.
    const IS_BRIEF: bool = false;

    /// Whether it answers requests that a route leads to it, as a component does: calls without a link of their own, which
    /// are answered as if there were one without config. It exports `wicker:http/handler` then.
    const ANSWERS_ROUTES: bool = false;

    /// What the provider is configured with as a whole. Serde struct with `deny_unknown_fields` and defaults.
    type Config: DeserializeOwned + Send;

    /// What one link is configured with. Its values arrive as text: numbers, booleans and comma-separated lists are
    /// read as the field's type wants them (see [`crate::config`]).
    type LinkConfig: DeserializeOwned + Send;

    /// One link's connection. Implements the traits of the interfaces; dropped when the link is gone and the last
    /// call through it has ended.
    type Link: Send + Sync + 'static;

    /// What is served, each as `module::serve()`.
    fn interfaces() -> Interfaces<Self::Link>;

    /// Starts the provider. Called once; until it returns, calls wait inside their deadlines.
    fn start(
        config: Self::Config,
        environment: Environment,
    ) -> impl Future<Output = Result<Self, ProviderError>> + Send;

    /// Opens one link. Called once for each revision of a link; a link that is configured anew is opened anew, and
    /// the calls under way finish on the old one.
    fn link(
        &self,
        link: &Link,
        config: Self::LinkConfig,
    ) -> impl Future<Output = Result<Self::Link, ProviderError>> + Send;

    /// Begins to call the target of a link whose source this provider is, with what happens at its backend. Called once
    /// for each revision of the link, and returns when that is under way; what goes on is spawned on the outlet's tasks.
    fn feed(&self, outlet: Outlet) -> impl Future<Output = Result<(), ProviderError>> + Send {
        async move {
            let (implementation, target) = (Self::IMPLEMENTATION, outlet.link.target);
            Err(ProviderError::config(format!(
                "{implementation} calls nobody, and so not {target}"
            )))
        }
    }

    /// Whether it can do its work. Asked every few seconds, and given one second to answer.
    fn health(&self) -> impl Future<Output = Result<(), ProviderError>> + Send {
        async { Ok(()) }
    }

    /// Finishes what did not come in as a call, such as connections of its own, and takes no more of it. Called once,
    /// before the calls under way are waited for.
    fn drain(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Where a provider runs.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The name of the lattice.
    pub lattice: String,
    /// Who it is.
    pub id: ObjectId,
    /// The process that it runs in: the owner of what it keeps for its callers.
    pub process: ProcessId,
    /// A directory of its own. It exists where the provider is exclusive; others make it if they need it.
    pub data_dir: PathBuf,
    /// The NATS system of the lattice, for backends that are NATS.
    pub nats: Option<NatsAccess>,
    /// Owns the provider's background tasks. They are asked to stop when the provider has drained.
    pub tasks: Tasks,
}

/// How to reach a NATS system.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsAccess {
    /// `nats://host:port`, or several joined by commas.
    pub url: String,
    /// The credentials file, where the server asks for one.
    pub credentials: Option<PathBuf>,
}

impl fmt::Debug for NatsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a password.
        f.debug_struct("NatsAccess").finish_non_exhaustive()
    }
}

/// Everything that starts one provider; the host (or [`crate::process`]) fills it in.
#[derive(Clone)]
pub struct ProviderStart {
    /// Where it runs.
    pub environment: Environment,
    /// The config from the provider's spec. `null` counts as no fields. The field `limits` is taken out and read as
    /// [`Limits`]; the rest is the provider's own.
    pub config: serde_json::Value,
    /// Where links are read when a call carries one that the provider does not know yet.
    pub links: Arc<dyn LinkSource>,
    /// Carries the calls of links that lead away from it to wherever their targets run.
    pub calls: Arc<dyn Invoke>,
}

impl fmt::Debug for ProviderStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The config may hold secrets.
        f.debug_struct("ProviderStart")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

impl ProviderStart {
    /// Splits the config into the SDK's part and the provider's.
    pub(crate) fn split_config(&self) -> Result<(Limits, serde_json::Value), ProviderError> {
        let mut config = match &self.config {
            serde_json::Value::Null => serde_json::Map::new(),
            serde_json::Value::Object(fields) => fields.clone(),
            _ => return Err(ProviderError::config("the config of a provider is an object")),
        };
        let limits = match config.remove("limits") {
            Some(limits) => serde_json::from_value(limits)
                .map_err(|error| ProviderError::config(format!("in `limits`: {error}")))?,
            None => Limits::default(),
        };
        Ok((limits, serde_json::Value::Object(config)))
    }
}
