//! Follows records: what is there first, then each change, across reconnects and restarts of the NATS server.
//!
//! A watch never ends and never reports an outage as a change: absence of information is not a deletion. After an
//! outage it repeats what is there; readers are level-triggered and do not mind.

use std::collections::VecDeque;
use std::error::Error as _;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::kv;
use futures::StreamExt as _;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::store::entry::{Entry, StoreError, decode};
use crate::store::key::Record;

/// How long nothing may come before it is looked whether the connection was another one meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest pause before a broken watch is opened again.
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<R> {
    /// A record is there, as it now is. May repeat.
    Put(Entry<R>),
    /// The key's record was deleted. May repeat.
    Deleted {
        /// Which key.
        key: String,
    },
    /// Everything that was there when the watch was opened (or opened again) has been told.
    Current,
}

/// Records that match one filter, followed.
pub struct Watch<R> {
    client: Client,
    /// How often the client had connected when it was looked at last.
    connects: u64,
    bucket: kv::Store,
    /// When the bucket was made that is followed.
    made: String,
    filter: String,
    messages: Option<Opened>,
    told: VecDeque<Change<R>>,
    pause: Duration,
    record: PhantomData<fn() -> R>,
}

/// A consumer, and how many messages are still to come before the reader is current.
struct Opened {
    messages: Ordered,
    pending: u64,
}

impl<R: Record> Watch<R> {
    pub(super) fn new((client, bucket): (Client, kv::Store), filter: &str) -> Self {
        let made = bucket.stream.cached_info().created.to_string();
        Self {
            connects: connects(&client),
            client,
            bucket,
            made,
            filter: filter.to_owned(),
            messages: None,
            told: VecDeque::new(),
            pause: Duration::ZERO,
            record: PhantomData,
        }
    }

    /// The next change. Waits through outages for as long as they last. Cancel-safe.
    pub async fn next(&mut self) -> Change<R> {
        loop {
            if let Some(change) = self.told.pop_front() {
                return change;
            }
            if let Err(error) = self.read().await {
                debug!(
                    filter = self.filter,
                    error = &error as &dyn std::error::Error,
                    "watch broke"
                );
                self.messages = None;
                self.pause = (self.pause * 2).clamp(Duration::from_millis(50), REOPEN_PAUSE_MAX);
                tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64())).await;
            }
        }
    }

    /// Reads what is there, once.
    ///
    /// # Errors
    /// The state cannot be reached.
    pub(super) async fn snapshot(mut self) -> Result<Vec<Entry<R>>, StoreError> {
        let mut entries = std::collections::BTreeMap::new();
        loop {
            while let Some(change) = self.told.pop_front() {
                match change {
                    Change::Put(entry) => _ = entries.insert(entry.key.clone(), entry),
                    Change::Deleted { key } => _ = entries.remove(&key),
                    Change::Current => return Ok(entries.into_values().collect()),
                }
            }
            self.read().await?;
        }
    }

    /// Opens the watch if it is not open, or waits for one message; either may add to `told`.
    async fn read(&mut self) -> Result<(), StoreError> {
        let Some(opened) = &mut self.messages else {
            let opened = open(self.bucket.clone(), &self.filter).await?;
            if opened.pending == 0 {
                self.told.push_back(Change::Current);
            }
            self.messages = Some(opened);
            return Ok(());
        };
        let failed = |source: async_nats::Error| StoreError::unavailable(&self.filter, source);
        let Ok(next) = timeout(LOOK_EVERY, opened.messages.next()).await else {
            return Box::pin(self.look()).await;
        };
        let message = match next {
            Some(message) => message.map_err(|error| failed(error.into()))?,
            None => return Err(failed("the consumer ended".into())),
        };
        let revision = message.info().map_err(failed)?.stream_sequence;
        let became_current = opened.pending == 1;
        opened.pending = opened.pending.saturating_sub(1);
        self.pause = Duration::ZERO;
        let key = message
            .subject
            .strip_prefix(&self.bucket.prefix)
            .unwrap_or(&message.subject)
            .to_owned();
        self.tell(key, revision, &message.message);
        if became_current {
            self.told.push_back(Change::Current);
        }
        Ok(())
    }

    /// After each reconnect: whether the bucket is still the one that is followed. Where a server has lost it and somebody
    /// has made it anew, revisions began anew, too, and the consumer would wait for one that does not come.
    async fn look(&mut self) -> Result<(), StoreError> {
        let connects = connects(&self.client);
        if connects == self.connects {
            return Ok(());
        }
        let failed = |error| StoreError::unavailable(&self.filter, error);
        let made = self.bucket.stream.get_info().await.map_err(failed)?.created.to_string();
        self.connects = connects;
        if made != self.made {
            self.made = made;
            self.messages = None;
        }
        Ok(())
    }

    fn tell(&mut self, key: String, revision: u64, message: &async_nats::Message) {
        let is_deletion =
            message.headers.as_ref().is_some_and(|headers| headers.get("KV-Operation").is_some());
        if is_deletion {
            self.told.push_back(Change::Deleted { key });
            return;
        }
        match decode(&key, &message.payload) {
            Ok(record) => self.told.push_back(Change::Put(Entry { key, record, revision })),
            Err(error) => warn!(key, error = error.source(), "record skipped: cannot be read"),
        }
    }
}

fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Opens a consumer. Takes no watch: a borrowed one could not cross threads while this waits.
async fn open(bucket: kv::Store, filter: &str) -> Result<Opened, StoreError> {
    let failed = |source: async_nats::Error| StoreError::unavailable(filter, source);
    let config = OrderedConfig {
        deliver_subject: format!("_INBOX.{}", ulid::Ulid::new()),
        description: Some("wicker watch".to_owned()),
        filter_subject: format!("{}{filter}", bucket.prefix),
        replay_policy: ReplayPolicy::Instant,
        deliver_policy: DeliverPolicy::LastPerSubject,
        ..Default::default()
    };
    let consumer =
        bucket.stream.create_consumer(config).await.map_err(|error| failed(error.into()))?;
    let pending = consumer.cached_info().num_pending;
    let messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
    Ok(Opened { messages, pending })
}

impl<R> std::fmt::Debug for Watch<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("filter", &self.filter).finish_non_exhaustive()
    }
}
