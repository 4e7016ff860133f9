//! Reads and writes records. Every write that could meet another one is checked against the revision it was based on.
//!
//! A write that failed with [`StoreError::Unavailable`] may have been applied: read again before deciding.

use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{self, CreateErrorKind, Operation, UpdateErrorKind};
use async_nats::jetstream::object_store::{self, ObjectStore};
use futures::TryStreamExt as _;
use tokio::sync::Semaphore;

use crate::store::entry::{Entry, StoreError, decode, encode};
use crate::store::key::{self, Bucket, Record};
use crate::store::open::{BucketConfig, open_bucket, open_images};
use crate::store::record::{Lattice, SCHEMA_VERSION};
use crate::store::watch::Watch;

/// Revisions kept of each spec key: what `wicker history` shows and `rollback` returns to.
const SPEC_HISTORY: i64 = 10;

/// Images on their way to one process at once: each is a consumer at the server, which allows only so many.
const FETCHES_MAX: usize = 8;

/// The state of one lattice. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    spec: kv::Store,
    status: kv::Store,
    pub(super) images: ObjectStore,
    client: Client,
    /// A permit for each image that may be on its way here.
    pub(super) fetching: Arc<Semaphore>,
}

/// The lattice's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The NATS server has no JetStream, or it does not answer.
    #[error(
        "cannot open the state of lattice `{lattice}`: is JetStream enabled on the NATS server?"
    )]
    JetStream {
        /// Which lattice.
        lattice: String,
        /// What NATS said.
        #[source]
        source: async_nats::Error,
    },
    /// Another version of Wicker keeps its state here.
    #[error(
        "lattice `{lattice}` has state of version {found}, this wicker reads version {SCHEMA_VERSION}: \
         use a wicker of that version, or another --lattice"
    )]
    Version {
        /// Which lattice.
        lattice: String,
        /// Its version.
        found: u32,
    },
    /// The lattice record could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens the state of `lattice`, creating it when this is the first process to ask, with `replicas` copies of
    /// everything (1, or 3 on a cluster).
    ///
    /// # Errors
    /// JetStream is not there, or the state is of another version; see [`OpenError`].
    pub async fn open(
        jetstream: &Context,
        lattice: &str,
        replicas: usize,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::JetStream { lattice: lattice.to_owned(), source };
        let bucket = |kind: &str, history| BucketConfig {
            name: format!("wicker_{lattice}_{kind}"),
            history,
            replicas,
        };
        let spec = open_bucket(jetstream, bucket("spec", SPEC_HISTORY)).await.map_err(failed)?;
        let status = open_bucket(jetstream, bucket("status", 1)).await.map_err(failed)?;
        let images = object_store::Config {
            bucket: format!("wicker_{lattice}_images"),
            num_replicas: replicas,
            ..Default::default()
        };
        let images = open_images(jetstream, images).await.map_err(failed)?;
        let fetching = Arc::new(Semaphore::new(FETCHES_MAX));
        let store = Self { spec, status, images, client: jetstream.client(), fetching };
        store.check_version(lattice).await?;
        Ok(store)
    }

    /// The state of `lattice` where it is there already; creates nothing. `None` also where JetStream does not answer.
    pub async fn find(jetstream: &Context, lattice: &str) -> Option<Self> {
        let bucket = |kind: &str| format!("wicker_{lattice}_{kind}");
        let spec = jetstream.get_key_value(bucket("spec")).await.ok()?;
        let status = jetstream.get_key_value(bucket("status")).await.ok()?;
        let images = jetstream.get_object_store(&bucket("images")).await.ok()?;
        let fetching = Arc::new(Semaphore::new(FETCHES_MAX));
        Some(Self { spec, status, images, client: jetstream.client(), fetching })
    }

    /// The streams that hold the state of `lattice`.
    #[must_use]
    pub fn streams(lattice: &str) -> [String; 3] {
        let bucket = |kind: &str| format!("KV_wicker_{lattice}_{kind}");
        [bucket("spec"), bucket("status"), format!("OBJ_wicker_{lattice}_images")]
    }

    async fn check_version(&self, lattice: &str) -> Result<(), OpenError> {
        let ours = Lattice { version: SCHEMA_VERSION };
        match self.create(&ours).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let found = self.get::<Lattice>(key::LATTICE).await?;
        match found {
            Some(entry) if entry.record.version != SCHEMA_VERSION => {
                Err(OpenError::Version { lattice: lattice.to_owned(), found: entry.record.version })
            }
            _ => Ok(()),
        }
    }

    /// Tells this state from one that began anew under the same name: generations that were seen in another one mean
    /// nothing here.
    #[must_use]
    pub fn epoch(&self) -> String {
        self.spec.stream.cached_info().created.to_string()
    }

    pub(super) fn bucket(&self, bucket: Bucket) -> &kv::Store {
        match bucket {
            Bucket::Spec => &self.spec,
            Bucket::Status => &self.status,
        }
    }

    /// Reads one record; `None` where there is none.
    ///
    /// On a replicated lattice this may lag behind a write just acknowledged; revision checks make that harmless.
    ///
    /// # Errors
    /// The state cannot be reached, or the value cannot be read.
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<Entry<R>>, StoreError> {
        let entry = self.bucket(R::BUCKET).entry(key).await;
        let entry = entry.map_err(|error| StoreError::unavailable(key, error))?;
        match entry {
            Some(entry) if entry.operation == Operation::Put => Ok(Some(Entry {
                key: key.to_owned(),
                record: decode(key, &entry.value)?,
                revision: entry.revision,
            })),
            _ => Ok(None),
        }
    }

    /// Reads every record that matches `filter` (see [`Record::all`]), in no particular order. A record that cannot
    /// be read is skipped and logged.
    ///
    /// # Errors
    /// The state cannot be reached.
    pub async fn list<R: Record>(&self, filter: &str) -> Result<Vec<Entry<R>>, StoreError> {
        self.watch::<R>(filter).snapshot().await
    }

    /// What a record said just before `revision` of its bucket was written; `None` where it was not there then, or where
    /// the history does not reach back so far.
    ///
    /// # Errors
    /// The state cannot be reached, or the value cannot be read.
    pub async fn before<R: Record>(
        &self,
        key: &str,
        revision: u64,
    ) -> Result<Option<R>, StoreError> {
        let history = self.bucket(R::BUCKET).history(key).await;
        let history = history.map_err(|error| StoreError::unavailable(key, error))?;
        let entries: Vec<kv::Entry> =
            history.try_collect().await.map_err(|error| StoreError::unavailable(key, error))?;
        let earlier = entries.iter().filter(|entry| entry.revision < revision);
        match earlier.max_by_key(|entry| entry.revision) {
            Some(entry) if entry.operation == Operation::Put => decode(key, &entry.value).map(Some),
            _ => Ok(None),
        }
    }

    /// The past revisions of one key, oldest first; deletions are left out.
    ///
    /// # Errors
    /// The state cannot be reached, or a value cannot be read.
    pub async fn history<R: Record>(&self, key: &str) -> Result<Vec<Entry<R>>, StoreError> {
        let history = self.bucket(R::BUCKET).history(key).await;
        let history = history.map_err(|error| StoreError::unavailable(key, error))?;
        let entries: Vec<kv::Entry> =
            history.try_collect().await.map_err(|error| StoreError::unavailable(key, error))?;
        entries
            .into_iter()
            .filter(|entry| entry.operation == Operation::Put)
            .map(|entry| {
                Ok(Entry {
                    key: key.to_owned(),
                    record: decode(key, &entry.value)?,
                    revision: entry.revision,
                })
            })
            .collect()
    }

    /// Writes `record` where there is none yet, and returns its revision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: there is one. Otherwise as [`StoreError`] says.
    pub async fn create<R: Record>(&self, record: &R) -> Result<u64, StoreError> {
        let key = record.key();
        self.bucket(R::BUCKET).create(&key, encode(&key, record)?).await.map_err(
            |error| match error.kind() {
                CreateErrorKind::AlreadyExists => StoreError::conflict(&key),
                _ => StoreError::unavailable(&key, error),
            },
        )
    }

    /// Writes `record` over the revision it was made from, and returns the new one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: the key has another revision by now. Otherwise as [`StoreError`] says.
    pub async fn update<R: Record>(&self, record: &R, revision: u64) -> Result<u64, StoreError> {
        let key = record.key();
        let updated = self.bucket(R::BUCKET).update(&key, encode(&key, record)?, revision).await;
        updated.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => StoreError::conflict(&key),
            _ => StoreError::unavailable(&key, error),
        })
    }

    /// Writes `record` whatever is there. For keys with one writer: a process's own status.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn put<R: Record>(&self, record: &R) -> Result<u64, StoreError> {
        let key = record.key();
        let put = self.bucket(R::BUCKET).put(&key, encode(&key, record)?).await;
        put.map_err(|error| StoreError::unavailable(&key, error))
    }

    /// Reads the record at `key`, lets `change` decide what it should be, and writes that, as often as somebody else
    /// writes in between. `None` from `change` leaves things as they are. Returns what is then there.
    ///
    /// # Errors
    /// As [`StoreError`] says; [`StoreError::Conflict`] after [`MODIFY_ATTEMPTS`] lost races.
    pub async fn modify<R: Record>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&R>) -> Option<R> + Send,
    ) -> Result<Option<Entry<R>>, StoreError> {
        for _ in 0..MODIFY_ATTEMPTS {
            let current = self.get::<R>(key).await?;
            let Some(record) = change(current.as_ref().map(|entry| &entry.record)) else {
                return Ok(current);
            };
            let written = match &current {
                Some(entry) => self.update(&record, entry.revision).await,
                None => self.create(&record).await,
            };
            match written {
                Ok(revision) => return Ok(Some(Entry { key: key.to_owned(), record, revision })),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::conflict(key))
    }

    /// Deletes a key. One that is not there is fine.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn delete<R: Record>(&self, key: &str) -> Result<(), StoreError> {
        let deleted = self.bucket(R::BUCKET).delete(key).await;
        deleted.map_err(|error| StoreError::unavailable(key, error))
    }

    /// Deletes a key whose record still has the revision that it was read at.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: the key has another revision by now. Otherwise as [`StoreError`] says.
    pub async fn delete_at<R: Record>(&self, key: &str, revision: u64) -> Result<(), StoreError> {
        let deleted = self.bucket(R::BUCKET).delete_expect_revision(key, Some(revision)).await;
        deleted.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => StoreError::conflict(key),
            _ => StoreError::unavailable(key, error),
        })
    }

    /// Deletes a key of any kind in the spec bucket: for `undeploy`, which knows only keys.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn delete_spec_key(&self, key: &str) -> Result<(), StoreError> {
        self.spec.delete(key).await.map_err(|error| StoreError::unavailable(key, error))
    }

    /// Follows every record that matches `filter`: what is there first, then each change. See [`Watch`].
    #[must_use]
    pub fn watch<R: Record>(&self, filter: &str) -> Watch<R> {
        Watch::new((self.client.clone(), self.bucket(R::BUCKET).clone()), filter)
    }
}

/// Races that [`Store::modify`] loses before it gives up.
pub const MODIFY_ATTEMPTS: u32 = 50;

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("spec", &self.spec.name).finish_non_exhaustive()
    }
}
