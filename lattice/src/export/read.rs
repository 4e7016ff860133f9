//! A link as it counts, for who does not follow every export.

use super::Exports;
use crate::store::record::{Export, Link};
use crate::store::{Store, StoreError, key};

/// As [`Exports::counting`], by what the store says now.
///
/// # Errors
/// The lattice's state cannot be read.
pub async fn counting(
    store: &Store,
    link: &Link,
    revision: u64,
) -> Result<(Link, u64), StoreError> {
    let mut exports = Exports::default();
    for target in link.targets().filter(|target| target.team() != link.source.team()) {
        if let Some(export) = store.get::<Export>(&key::export(target)).await? {
            exports.put(export.record, export.revision);
        }
    }
    Ok(exports.counting(link, revision))
}
