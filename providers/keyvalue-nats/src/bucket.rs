//! One JetStream key-value bucket: what it holds under a key and at which revision, and writes that check it.

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::fmt;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::kv::{self, Operation, UpdateErrorKind};
use bytes::Bytes;
use futures::StreamExt as _;
use keyvalue::{Failure, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wicker_provider::ProviderError;
use wicker_provider::lattice::store::{BucketConfig, open_bucket};

/// Times that a change is tried while others write the same key.
pub const ATTEMPTS: u32 = 64;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Messages that one page of keys looks at.
const PAGE: u64 = 1_000;

/// How long JetStream may be silent while it lists keys.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys that are changed at once from here. Changes to one key from here take turns, so that they do not outrun each
/// other: only other processes make an attempt fail.
const LANES: usize = 64;

/// A bucket.
pub(crate) struct Bucket {
    client: async_nats::Client,
    store: kv::Store,
    lanes: Vec<Semaphore>,
}

/// What is under a key.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) value: Option<Bytes>,
    /// What a write that is based on this must name; 0 where the key was never written.
    revision: u64,
}

impl Found {
    /// Nothing, or the revision.
    pub(crate) fn version(&self) -> Version {
        self.value.as_ref().map(|_| Bytes::copy_from_slice(&self.revision.to_be_bytes()))
    }
}

impl Bucket {
    /// Opens the bucket, making it if need be.
    pub(crate) async fn open(
        client: &async_nats::Client,
        name: &str,
        replicas: usize,
    ) -> Result<Self, ProviderError> {
        let config = BucketConfig { name: name.to_owned(), history: 1, replicas };
        let store =
            open_bucket(&jetstream::new(client.clone()), config).await.map_err(|error| {
                ProviderError::backend(format!("cannot open the JetStream bucket `{name}`"), error)
            })?;
        let lanes = (0..LANES).map(|_| Semaphore::new(1)).collect();
        Ok(Self { client: client.clone(), store, lanes })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Found, Failure> {
        let entry = self.store.entry(key).await.map_err(|error| failure("cannot read", &error))?;
        Ok(entry.map_or(Found { value: None, revision: 0 }, |entry| Found {
            value: (entry.operation == Operation::Put).then_some(entry.value),
            revision: entry.revision,
        }))
    }

    pub(crate) async fn put(&self, key: &str, value: Bytes) -> Result<(), Failure> {
        let put = self.store.put(key, value).await;
        put.map(drop).map_err(|error| uncertain("cannot write", &error))
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Failure> {
        self.store.delete(key).await.map_err(|error| uncertain("cannot delete", &error))
    }

    /// Writes `value` over what was found; false if that is no longer what is there.
    pub(crate) async fn write(
        &self,
        key: &str,
        value: Bytes,
        found: &Found,
    ) -> Result<bool, Failure> {
        match self.store.update(key, value, found.revision).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => Err(uncertain("cannot write", &error)),
        }
    }

    /// Replaces a value by what `change` makes of it, as if nobody else were there.
    pub(crate) async fn change<T>(
        &self,
        key: &str,
        change: impl Fn(Option<&[u8]>) -> Result<(T, Bytes), Failure>,
    ) -> Result<T, Failure> {
        let _turn =
            self.lane(key).acquire().await.map_err(|error| failure("cannot write", &error))?;
        let mut pause = Duration::from_millis(1);
        for _ in 0..ATTEMPTS {
            let found = self.get(key).await?;
            let (result, value) = change(found.value.as_deref())?;
            if self.write(key, value, &found).await? {
                return Ok(result);
            }
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(Failure::Other(format!("the key is contended: {ATTEMPTS} attempts were overtaken")))
    }

    fn lane(&self, key: &str) -> &Semaphore {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "any lane will do")]
        let lane = hasher.finish() as usize % self.lanes.len();
        #[expect(clippy::indexing_slicing, reason = "a remainder is smaller than the length")]
        &self.lanes[lane]
    }

    /// The keys under `prefix` that were written after stream sequence `after`, and where to go on: one page. Each key
    /// is one message, at the sequence of its last write, so a key that is written meanwhile comes later, not never.
    pub(crate) async fn keys_after(
        &self,
        prefix: &str,
        mut after: u64,
    ) -> Result<(Vec<String>, Option<u64>), Failure> {
        loop {
            let (keys, next) = self.page(prefix, after).await?;
            match next {
                Some(next) if keys.is_empty() => after = next,
                next => return Ok((keys, next)),
            }
        }
    }

    async fn page(&self, prefix: &str, after: u64) -> Result<(Vec<String>, Option<u64>), Failure> {
        let attempt = "cannot list keys";
        let subject = format!("{}{prefix}.", self.store.prefix);
        let config = OrderedConfig {
            deliver_subject: self.client.new_inbox(),
            description: Some("wasi:keyvalue list-keys".to_owned()),
            filter_subject: format!("{subject}>"),
            headers_only: true,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ..OrderedConfig::default()
        };
        let consumer = self.store.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| failure(attempt, &error))?;
        let pending = consumer.cached_info().num_pending;
        let messages = consumer.messages().await.map_err(|error| failure(attempt, &error))?;
        let count = usize::try_from(pending.min(PAGE)).unwrap_or_default();
        let (mut keys, mut last) = (Vec::new(), after);
        let mut messages = messages.take(count);
        loop {
            let message = timeout(LIST_TIMEOUT, messages.next()).await;
            let Some(message) = message.map_err(|error| failure(attempt, &error))? else { break };
            let message = message.map_err(|error| failure(attempt, &error))?;
            last = message.info().map_err(|error| Failure::other(attempt, error))?.stream_sequence;
            let is_deletion = message
                .headers
                .as_ref()
                .is_some_and(|headers| headers.get("KV-Operation").is_some());
            let key = message.subject.strip_prefix(&subject).filter(|_| !is_deletion);
            keys.extend(key.map(str::to_owned));
        }
        Ok((keys, (pending > PAGE).then_some(last)))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.store.name).finish_non_exhaustive()
    }
}

fn failure(attempt: &str, error: &dyn Error) -> Failure {
    Failure::other(attempt, chain(error))
}

/// A write that failed on the way: it may have happened.
fn uncertain(attempt: &str, error: &dyn Error) -> Failure {
    Failure::other(attempt, format!("{}; it may have been written", chain(error)))
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
