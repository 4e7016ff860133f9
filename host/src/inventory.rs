//! Reads everything that planning looks at, once.

use futures::future::BoxFuture;
use wicker_lattice::store::record::{Host, Running, SealedSecret, SecretNames, Types};
use wicker_lattice::store::{Entry, Record, Store, StoreError};
use wicker_reconciler::inventory::{Inventory, Records, Stored};

/// All records; hosts and what runs as they said it last, whether they live or not.
///
/// # Errors
/// The lattice's state cannot be reached.
pub async fn records(store: &Store) -> Result<Inventory, StoreError> {
    let (applications, components, providers) =
        tokio::try_join!(stored(store), stored(store), stored(store))?;
    let (links, routes, exports, schedules, placements) = tokio::try_join!(
        stored(store),
        stored(store),
        stored(store),
        stored(store),
        stored(store)
    )?;
    let (mut hosts, running, types) =
        tokio::try_join!(all::<Host>(store), all::<Running>(store), all::<Types>(store))?;
    let (sealed, named) = tokio::try_join!(all::<SealedSecret>(store), all::<SecretNames>(store))?;
    let named = named.into_iter().flat_map(|names| names.names);
    let secrets = sealed.into_iter().map(|sealed| sealed.id).chain(named).collect();
    hosts.sort_by(|a, b| (&a.name, a.process).cmp(&(&b.name, b.process)));
    let worlds = types.into_iter().map(|types| (types.digest, types.world)).collect();
    Ok(Inventory {
        hosts,
        silent_hosts: Vec::new(),
        applications,
        components,
        providers,
        links,
        routes,
        exports,
        schedules,
        placements,
        running,
        secrets,
        worlds,
        retired: std::collections::BTreeMap::new(),
    })
}

/// Boxed: eleven of these at once are too large for a caller's own future.
fn stored<R: Record>(store: &Store) -> BoxFuture<'_, Result<Records<R>, StoreError>> {
    Box::pin(async move {
        let entries = store.list::<R>(&R::all()).await?;
        let stored = |entry: Entry<R>| {
            (entry.key, Stored { record: entry.record, revision: entry.revision })
        };
        Ok(entries.into_iter().map(stored).collect())
    })
}

fn all<R: Record>(store: &Store) -> BoxFuture<'_, Result<Vec<R>, StoreError>> {
    Box::pin(async move {
        let entries = store.list::<R>(&R::all()).await?;
        Ok(entries.into_iter().map(|entry| entry.record).collect())
    })
}
