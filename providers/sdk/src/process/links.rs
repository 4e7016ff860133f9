//! The links of the lattice, as a provider in a process of its own hears of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::scopes;
use wicker_lattice::store::record::Link;
use wicker_lattice::store::{Change, Record as _, Store, StoreError, key};
use wicker_process::Tasks;

use crate::instance::ProviderInstance;
use crate::link::{LinkRecord, LinkSource, LinkSourceError};

/// Reads links from the lattice's store.
#[derive(Debug, Clone)]
pub struct StoreLinks(pub Store);

impl StoreLinks {
    async fn find(
        &self,
        source: &ObjectId,
        interface: &InterfaceKey,
        name: &str,
    ) -> Result<Option<LinkRecord>, StoreError> {
        for scope in scopes(interface) {
            if let Some(entry) = self.0.get::<Link>(&key::link(source, &scope, name)).await? {
                return Ok(Some(LinkRecord { link: entry.record, revision: entry.revision }));
            }
        }
        Ok(None)
    }
}

impl LinkSource for StoreLinks {
    fn read<'a>(
        &'a self,
        source: &'a ObjectId,
        interface: &'a InterfaceKey,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>> {
        Box::pin(async move {
            self.find(source, interface, name).await.map_err(|error| LinkSourceError {
                source_id: source.clone(),
                interface: interface.clone(),
                cause: crate::error::chain(&error),
            })
        })
    }
}

/// Tells `instance` of every link of the lattice that changes, until `tasks` are asked to stop. `current` is told when
/// all that were there at the start have been told.
///
/// Links are kept by source, so a provider hears of all of them; they change when somebody types.
pub(crate) async fn follow(
    store: Store,
    instance: Arc<dyn ProviderInstance>,
    tasks: Tasks,
    current: oneshot::Sender<()>,
) -> Result<(), Infallible> {
    let mut watch = store.watch::<Link>(&Link::all());
    let mut known: HashMap<String, LinkRecord> = HashMap::new();
    let mut current = Some(current);
    loop {
        let change = tokio::select! {
            // Cancel-safe, both: a change not taken is told again.
            () = tasks.stopping() => return Ok(()),
            change = watch.next() => change,
        };
        match change {
            Change::Put(entry) => {
                let record = LinkRecord { link: entry.record, revision: entry.revision };
                known.insert(entry.key, record.clone());
                let instance = Arc::clone(&instance);
                // A link that is slow to open keeps no other waiting. Failures are logged, and show in the health.
                tasks.spawn_work(async move { drop(instance.apply_link(record).await) });
            }
            Change::Deleted { key } => {
                if let Some(LinkRecord { link, revision }) = known.remove(&key) {
                    instance.remove_link(&link.source, &link.scope, &link.name, revision);
                }
            }
            Change::Current => {
                if let Some(current) = current.take() {
                    // Nobody waits any more if the start failed meanwhile.
                    let _ = current.send(());
                }
            }
        }
    }
}
