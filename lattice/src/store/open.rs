//! Finds the buckets that hold a lattice's state, or creates them.

use std::time::Duration;

use async_nats::jetstream::context::KeyValueErrorKind;
use async_nats::jetstream::kv;
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::{Context, stream};

/// Within which the server drops a message with the id of an earlier one; its own default.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

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

pub(super) async fn open_images(
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
