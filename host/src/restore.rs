//! Makes an application what it was at an earlier deployment: for `wicker rollback`, and for the reconciler when a
//! deployment fails.
//!
//! A deployment writes the application's record first. What belonged to deployment N is therefore what its keys said
//! just before the record of deployment N + 1 was written.

use wicker_lattice::store::record::{
    Application, Component, Export, Link, Provider, Route, Schedule,
};
use wicker_lattice::store::{Entry, Record, Store, StoreError, key};
use wicker_reconciler::plan::{AnyRecord, restore};
use wicker_reconciler::validate::Desired;

/// An application cannot go back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Its history does not hold the deployment any more, or never did.
    #[error("{application} has no deployment of generation {generation} in its history")]
    Unknown {
        /// `team/application`.
        application: String,
        /// Which one was asked for.
        generation: u64,
    },
    /// The lattice's state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The deployments of an application that its history holds, the oldest first.
///
/// # Errors
/// The lattice's state cannot be read.
pub async fn history(
    store: &Store,
    team: &str,
    name: &str,
) -> Result<Vec<Entry<Application>>, StoreError> {
    let mut entries = store.history::<Application>(&key::application(team, name)).await?;
    entries.sort_by_key(|entry| entry.revision);
    // The first record of a generation is where its deployment began; later ones only pause it or resume it.
    entries.dedup_by_key(|entry| entry.record.generation);
    Ok(entries)
}

/// What to want so that the application is again what deployment `generation` was.
///
/// # Errors
/// See [`RestoreError`].
pub async fn desired(
    store: &Store,
    (team, name): (&str, &str),
    generation: u64,
    reason: String,
) -> Result<Desired, RestoreError> {
    let deployments = history(store, team, name).await?;
    let unknown = || RestoreError::Unknown { application: format!("{team}/{name}"), generation };
    let at = deployments.iter().position(|entry| entry.record.generation == generation);
    let at = at.ok_or_else(unknown)?;
    let application = deployments.get(at).ok_or_else(unknown)?.record.clone();
    let end = deployments.get(at + 1).map_or(u64::MAX, |next| next.revision);
    let mut then = Vec::new();
    for key in &application.keys {
        then.extend(before(store, key, end).await?);
    }
    Ok(restore(&application, then, reason))
}

async fn before(store: &Store, key: &str, end: u64) -> Result<Option<AnyRecord>, StoreError> {
    async fn one<R: Record + Into<AnyRecord>>(
        store: &Store,
        key: &str,
        end: u64,
    ) -> Result<Option<AnyRecord>, StoreError> {
        Ok(store.before::<R>(key, end).await?.map(Into::into))
    }
    match key.split('.').next() {
        Some(Component::KIND) => one::<Component>(store, key, end).await,
        Some(Provider::KIND) => one::<Provider>(store, key, end).await,
        Some(Export::KIND) => one::<Export>(store, key, end).await,
        Some(Link::KIND) => one::<Link>(store, key, end).await,
        Some(Route::KIND) => one::<Route>(store, key, end).await,
        Some(Schedule::KIND) => one::<Schedule>(store, key, end).await,
        _ => Ok(None),
    }
}
