//! The question whether a link works in one process, as `wicker link set` asks it of whoever runs the link's target.

use serde::{Deserialize, Serialize};
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::export::counting;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::Store;
use wicker_lattice::store::record::Link;

use super::LinkRecord;
use crate::error;
use crate::instance::ProviderInstance;

/// The verb: a [`LinkQuery`], answered when the link is open, or by the error that its calls would meet.
pub const LINK: &str = "link";

/// Which link, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkQuery {
    /// The provider that serves it.
    pub target: ObjectId,
    /// The key of its record.
    pub key: String,
}

impl LinkQuery {
    /// Opens the link at `instance`, as its first call would.
    ///
    /// # Errors
    /// [`Status::Denied`]: the provider refuses its config. [`Status::Unavailable`]: its backend is not there, or the
    /// lattice's state cannot be read. [`Status::NotFound`]: there is no such link.
    pub async fn answer(
        &self,
        store: &Store,
        instance: &dyn ProviderInstance,
    ) -> Result<(), CallError> {
        let read = store.get::<Link>(&self.key).await;
        let read =
            read.map_err(|error| CallError::new(Status::Unavailable, error::chain(&error)))?;
        let entry = read
            .ok_or_else(|| CallError::new(Status::NotFound, format!("no link `{}`", self.key)))?;
        let counting = counting(store, &entry.record, entry.revision).await;
        let (link, revision) =
            counting.map_err(|error| CallError::new(Status::Unavailable, error::chain(&error)))?;
        let record = LinkRecord { link, revision };
        instance.apply_link(record).await.map_err(|failure| {
            let status = if failure.is_final { Status::Denied } else { Status::Unavailable };
            CallError::new(status, failure.cause)
        })
    }
}
