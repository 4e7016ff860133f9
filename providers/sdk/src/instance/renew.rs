//! Secrets that have changed reach a provider that runs: what was made with the old ones is made anew beside it, and takes
//! its place once it works. Calls under way finish on what they began with; a new value that does not work leaves the old
//! one in use, and shows in the health.

use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, PoisonError, Weak};

use tokio::time::Instant;
use tracing::{info, warn};
use wicker_lattice::secret::SecretSource;
use wicker_process::Tasks;

use super::{Entry, Instance, Opened, OpenedEntry, Running};
use crate::error::ProviderError;
use crate::provider::{Environment, Provider};
use crate::secrets::{self, Used};

/// What a provider is started with, as often as its secrets change.
pub(super) struct Recipe {
    /// Its own config; a value may name a secret.
    pub(super) config: serde_json::Value,
    pub(super) environment: Environment,
}

impl Recipe {
    /// Starts one for the `number`th time, with what its secrets are now.
    pub(super) async fn start<P: Provider>(
        &self,
        secrets: &dyn SecretSource,
        number: u64,
    ) -> Result<Arc<Running<P>>, ProviderError> {
        let (config, used) =
            secrets::of_provider(&self.config, self.environment.id.team(), secrets)?;
        let failed = |error: ProviderError| used.redacted(error);
        let config = serde_json::from_value(config)
            .map_err(|error| failed(ProviderError::config(error.to_string())))?;
        let tasks = self.environment.tasks.child();
        let environment = Environment { tasks: tasks.clone(), ..self.environment.clone() };
        let provider = P::start(config, environment).await.map_err(failed)?;
        Ok(Arc::new(Running { provider, number, used, tasks }))
    }
}

impl<P: Provider> Instance<P> {
    /// Makes anew what was made with other secrets than there are now.
    pub(super) async fn renew(&self) {
        // One at a time: a second change is seen by whoever comes next.
        let Ok(_renewing) = self.renewing.acquire().await else { return };
        let before = self.renew_provider().await;
        for entry in self.current() {
            self.renew_link(&entry).await;
        }
        let running = self.running.load_full();
        self.outlets.renew((&running.provider, running.number)).await;
        if let Some(before) = before {
            before.provider.drain().await;
        }
    }

    /// The one that was replaced, if one was.
    async fn renew_provider(&self) -> Option<Arc<Running<P>>> {
        let before = self.running.load_full();
        let Recipe { config, environment } = &self.recipe;
        let now = secrets::of_provider(config, environment.id.team(), self.secrets.as_ref());
        let outcome = match now {
            Ok((_, used)) if used == before.used => Ok(None),
            Ok(_) => self.recipe.start(self.secrets.as_ref(), before.number + 1).await.map(Some),
            Err(error) => Err(error),
        };
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(None) => *stale = None,
            Ok(Some(running)) => {
                *stale = None;
                info!(provider = %self.id, "its secrets have changed: it goes on with the new ones");
                self.running.store(running);
                return Some(before);
            }
            Err(error) => {
                let why = format!(
                    "its secrets have changed, and it goes on with the old ones: {}",
                    error.chain()
                );
                if stale.as_ref() != Some(&why) {
                    warn!(provider = %self.id, "{why}");
                }
                *stale = Some(why);
            }
        }
        None
    }

    async fn renew_link(&self, entry: &OpenedEntry<P>) {
        let Entry { record, opened } = &**entry;
        let Some(live) = opened.link.get() else { return };
        let is_of_now = live.number == self.running.load().number;
        let now = secrets::of_link(&record.link, self.secrets.as_ref());
        let problem = match now {
            Ok((_, used)) if is_of_now && used == opened.used() => None,
            Ok(_) => {
                let fresh = Arc::new(Entry { record: record.clone(), opened: Opened::default() });
                match self.open(&fresh).await {
                    Ok(_) => return self.change(|links| links.renew(&fresh, Instant::now())),
                    Err(failure) => Some(failure.cause),
                }
            }
            Err(error) => Some(error.chain()),
        };
        let problem = problem.map(|why| {
            format!("its secrets have changed, and it goes on with the old ones: {why}")
        });
        if let Some(why) = &problem
            && opened.stale().as_ref() != Some(why)
        {
            warn!(provider = %self.id, source = %record.link.source, "{why}");
        }
        opened.set_stale(problem);
    }
}

impl Used {
    /// The same error without any of the values, its causes as text.
    fn redacted(&self, error: ProviderError) -> ProviderError {
        if self.is_empty() {
            return error;
        }
        match error {
            ProviderError::Config(why) => ProviderError::Config(self.redact(why)),
            ProviderError::Backend { attempt, source } => {
                let cause = crate::error::chain(source.as_ref() as &dyn Error);
                ProviderError::backend(self.redact(attempt), self.redact(cause))
            }
        }
    }
}

/// Renews an instance whenever a secret has changed, while it lives.
pub(super) async fn follow<P: Provider>(
    instance: Weak<Instance<P>>,
    tasks: Tasks,
) -> Result<(), Infallible> {
    let Some(mut changes) = instance.upgrade().map(|instance| instance.secrets.changes()) else {
        return Ok(());
    };
    loop {
        tokio::select! {
            // Cancel-safe, both.
            () = tasks.stopping() => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(instance) = instance.upgrade() else { return Ok(()) };
        instance.renew().await;
        instance.open_failing().await;
    }
}
