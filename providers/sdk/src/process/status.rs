//! What a provider in a process of its own says to the lattice: that it runs, how it is, and that it still does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use wicker_lattice::id::Incarnation;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::lease::RENEW_EVERY;
use wicker_lattice::store::record::{ObjectKind, ProviderProcess, RunState, Running, Types};
use wicker_lattice::store::{Store, StoreError, key};
use wicker_process::{Clock, Tasks};

use super::Launch;
use crate::instance::{Health, ProviderInstance};

/// Renewals between two looks at the health.
const HEALTH_EVERY: u64 = 3;

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Writes this process's status.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    store: Store,
    clock: Clock,
    running: Running,
    lease: ProviderProcess,
    /// Of the lease as it was last written.
    revision: u64,
}

impl Status {
    pub(crate) fn new(
        store: Store,
        launch: &Launch,
        incarnation: Incarnation,
        instance: &dyn ProviderInstance,
    ) -> Self {
        let clock = Clock::system();
        let running = Running {
            object: launch.id.clone(),
            kind: ObjectKind::Provider,
            process: launch.process,
            incarnation,
            host: launch.host,
            generation: launch.generation,
            digest: None,
            serves: instance.world().exports.keys().map(InterfaceName::key).collect(),
            types: Some(Types::of_provider(instance.world()).digest),
            state: RunState::Ready,
            reason: None,
            failing_links: Default::default(),
            failed_generation: None,
            since: clock.rfc3339(),
        };
        let lease = ProviderProcess {
            process: launch.process,
            incarnation,
            object: launch.id.clone(),
            host: launch.host,
            pid: Some(std::process::id()),
            beat: 0,
        };
        Self { store, clock, running, lease, revision: 0 }
    }

    /// Says that it runs.
    pub(crate) async fn announce(&mut self) -> Result<(), StoreError> {
        self.lease.beat += 1;
        self.revision = self.store.put(&self.lease).await?;
        self.store.put(&self.running).await.map(drop)
    }

    /// Says that it still runs; all of it anew, where somebody took it for dead and cleared up after it.
    async fn renew(&mut self) -> Result<(), StoreError> {
        self.lease.beat += 1;
        match self.store.update(&self.lease, self.revision).await {
            Ok(revision) => {
                self.revision = revision;
                Ok(())
            }
            Err(StoreError::Conflict { .. }) => self.announce().await,
            Err(error) => Err(error),
        }
    }

    /// Says how it is, if that has changed.
    async fn set(
        &mut self,
        state: RunState,
        (reason, links): (Option<String>, BTreeMap<String, String>),
    ) -> Result<(), StoreError> {
        let Running { state: before, reason: why, failing_links, .. } = &self.running;
        if (*before, why, failing_links) == (state, &reason, &links) {
            return Ok(());
        }
        self.running.failing_links = links;
        let before = std::mem::replace(&mut self.running.state, state);
        if before != state {
            self.running.since = self.clock.rfc3339();
        }
        self.running.reason = reason;
        self.store.put(&self.running).await.map(drop)
    }

    /// Renews the lease and looks at the health, until `tasks` are asked to stop. An outage of the store stops nothing.
    pub(crate) async fn keep(
        mut self,
        instance: Arc<dyn ProviderInstance>,
        tasks: Tasks,
    ) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let mut told = self.renew().await;
            if told.is_ok() && self.lease.beat.is_multiple_of(HEALTH_EVERY) {
                let (state, why) = match instance.health().await {
                    Health::Ready => (RunState::Ready, None),
                    Health::Degraded(why) => (RunState::Degraded, Some(why)),
                };
                told = self.set(state, (why, instance.failing_links())).await;
            }
            if let Err(error) = told {
                warn!(error = &error as &dyn Error, "status not written");
            }
        }
    }

    /// Says that it takes no more calls.
    pub(crate) async fn draining(&mut self) {
        let told =
            tokio::time::timeout(FAREWELL, self.set(RunState::Draining, (None, BTreeMap::new())))
                .await;
        if !matches!(told, Ok(Ok(()))) {
            warn!("the lattice was not told that this provider drains");
        }
    }

    /// Takes back everything that it said.
    pub(crate) async fn withdraw(&self) {
        let Running { object, process, .. } = &self.running;
        let withdraw = async {
            self.store.delete::<Running>(&key::running(object, *process)).await?;
            self.store.delete::<ProviderProcess>(&key::provider_process(*process)).await
        };
        if !matches!(tokio::time::timeout(FAREWELL, withdraw).await, Ok(Ok(()))) {
            warn!("the lattice was not told that this provider is gone");
        }
    }
}
