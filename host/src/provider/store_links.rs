//! Links, read from the lattice's state when a call carries one that a provider does not know yet.

use futures::future::BoxFuture;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::store::record::{Link, Scope};
use wicker_lattice::store::{Store, StoreError, key};
use wicker_provider::{LinkRecord, LinkSource, LinkSourceError};

use crate::link::resolve;

/// The lattice's state as a source of links.
#[derive(Debug, Clone)]
pub struct StoreLinks {
    store: Store,
}

impl StoreLinks {
    /// Reads from `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn find(
        &self,
        source: &ObjectId,
        interface: &InterfaceKey,
        name: &str,
    ) -> Result<Option<LinkRecord>, StoreError> {
        for scope in scopes(interface) {
            if let Some(entry) = self.store.get::<Link>(&key::link(source, &scope, name)).await? {
                return Ok(Some(LinkRecord { link: entry.record, revision: entry.revision }));
            }
        }
        Ok(None)
    }
}

/// The scopes of links that cover `interface`, the narrower ones first.
fn scopes(interface: &InterfaceKey) -> Vec<Scope> {
    let interfaces = resolve::aliases(interface);
    let narrow = interfaces.iter().cloned().map(Scope::Interface);
    let wide = interfaces.iter().map(|interface| Scope::Package(interface.package()));
    narrow.chain(wide).collect()
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
                cause: crate::control::chain(&error),
            })
        })
    }
}
