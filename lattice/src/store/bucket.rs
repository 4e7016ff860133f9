//! Reads and writes records. Every write that could meet another one is checked against the revision it was based on.
//!
//! A write that failed with [`StoreError::Unavailable`] may have been applied: read again before deciding.

use std::time::Duration;

use async_nats::jetstream::context::KeyValueErrorKind;
use async_nats::jetstream::kv::{self, CreateErrorKind, Operation, UpdateErrorKind};
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::{Context, stream};
use futures::TryStreamExt as _;

use crate::store::key::{self, Bucket, Record};
use crate::store::record::{Lattice, SCHEMA_VERSION};
use crate::store::watch::Watch;

/// Revisions kept of each spec key: what `wicker history` shows and `rollback` returns to.
const SPEC_HISTORY: i64 = 10;

/// Within which the server drops a message with the id of an earlier one; its own default.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// The state of one lattice. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    spec: kv::Store,
    status: kv::Store,
    pub(super) images: ObjectStore,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<R> {
    /// Its key.
    pub key: String,
    /// What it says.
    pub record: R,
    /// What a write based on it must name.
    pub revision: u64,
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

/// A record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote the key first. Read it again.
    #[error("`{key}` was changed by somebody else meanwhile")]
    Conflict {
        /// Which key.
        key: String,
    },
    /// JetStream did not answer. A write may have been applied.
    #[error("cannot reach the lattice's state for `{key}`")]
    Unavailable {
        /// Which key or filter.
        key: String,
        /// What NATS said.
        #[source]
        source: async_nats::Error,
    },
    /// The value is not what this version of Wicker writes there.
    #[error("cannot read `{key}`")]
    Unreadable {
        /// Which key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    pub(super) fn unavailable(key: &str, source: impl Into<async_nats::Error>) -> Self {
        Self::Unavailable { key: key.to_owned(), source: source.into() }
    }

    fn conflict(key: &str) -> Self {
        Self::Conflict { key: key.to_owned() }
    }
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
        let store = Self { spec, status, images };
        store.check_version(lattice).await?;
        Ok(store)
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

    fn bucket(&self, bucket: Bucket) -> &kv::Store {
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
        Watch::new(self.bucket(R::BUCKET).clone(), filter)
    }
}

/// Races that [`Store::modify`] loses before it gives up.
pub const MODIFY_ATTEMPTS: u32 = 50;

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("spec", &self.spec.name).finish_non_exhaustive()
    }
}

/// What a key-value bucket should be like when it is created.
#[derive(Debug, Clone)]
pub struct BucketConfig {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// Revisions kept of each key, 1 to 64.
    pub history: i64,
    /// Copies in a cluster: 1, 3 or 5.
    pub replicas: usize,
}

/// Finds a key-value bucket, or creates it; two processes may do so at once.
///
/// Creates the stream itself: the client's own way first asks for the account's limits, in a form that nats-server 2.9
/// does not answer.
///
/// # Errors
/// JetStream does not answer or refuses the bucket.
pub async fn open_bucket(
    jetstream: &Context,
    config: BucketConfig,
) -> Result<kv::Store, async_nats::Error> {
    match jetstream.get_key_value(&config.name).await {
        Ok(bucket) => return Ok(bucket),
        Err(error) if error.kind() == KeyValueErrorKind::GetBucket => {}
        Err(error) => return Err(error.into()),
    }
    let created = jetstream
        .create_stream(stream::Config {
            name: format!("KV_{}", config.name),
            subjects: vec![format!("$KV.{}.>", config.name)],
            max_messages_per_subject: config.history,
            max_messages: -1,
            max_bytes: -1,
            max_message_size: -1,
            discard: stream::DiscardPolicy::New,
            storage: stream::StorageType::File,
            num_replicas: config.replicas,
            duplicate_window: DUPLICATE_WINDOW,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..Default::default()
        })
        .await;
    match jetstream.get_key_value(&config.name).await {
        Ok(bucket) => Ok(bucket),
        Err(error) => Err(created.err().map_or_else(|| error.into(), Into::into)),
    }
}

async fn open_images(
    jetstream: &Context,
    config: object_store::Config,
) -> Result<ObjectStore, async_nats::Error> {
    if let Ok(images) = jetstream.get_object_store(&config.bucket).await {
        return Ok(images);
    }
    let name = config.bucket.clone();
    match jetstream.create_object_store(config).await {
        Ok(images) => Ok(images),
        Err(error) => jetstream.get_object_store(&name).await.map_err(|_| error.into()),
    }
}

fn encode<R: Record>(key: &str, record: &R) -> Result<bytes::Bytes, StoreError> {
    let json = serde_json::to_vec(record);
    json.map(Into::into).map_err(|source| StoreError::Unreadable { key: key.to_owned(), source })
}

pub(super) fn decode<R: Record>(key: &str, value: &[u8]) -> Result<R, StoreError> {
    serde_json::from_slice(value)
        .map_err(|source| StoreError::Unreadable { key: key.to_owned(), source })
}
