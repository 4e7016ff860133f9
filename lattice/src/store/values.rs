//! The spec bucket as keys and JSON, whatever they say: for backups, which must hold also what is yet to be invented.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use serde_json::Value;

use crate::store::bucket::Store;
use crate::store::entry::{StoreError, decode};
use crate::store::key::Bucket;

/// How often everything is read in the hope that nothing changes meanwhile.
const ATTEMPTS: usize = 10;

impl Store {
    /// Every value of the spec bucket, as they were at one moment.
    ///
    /// # Errors
    /// The state cannot be reached; [`StoreError::Conflict`]: it keeps changing while it is read.
    pub async fn spec_values(&self) -> Result<BTreeMap<String, Value>, StoreError> {
        for _ in 0..ATTEMPTS {
            let before = self.last_write().await?;
            let values = self.read_values().await?;
            if self.last_write().await? == before {
                return Ok(values);
            }
        }
        Err(StoreError::conflict("the state"))
    }

    async fn read_values(&self) -> Result<BTreeMap<String, Value>, StoreError> {
        let spec = self.bucket(Bucket::Spec);
        let failed = |source: async_nats::Error| StoreError::unavailable("every key", source);
        let keys = spec.keys().await.map_err(|error| failed(error.into()))?;
        let keys: Vec<String> = keys.try_collect().await.map_err(|error| failed(error.into()))?;
        let mut values = BTreeMap::new();
        for key in keys {
            let value = spec.get(&key).await;
            let value = value.map_err(|error| StoreError::unavailable(&key, error))?;
            if let Some(value) = value {
                values.insert(key.clone(), decode(&key, &value)?);
            }
        }
        Ok(values)
    }

    /// The revision of the latest write to the spec bucket.
    async fn last_write(&self) -> Result<u64, StoreError> {
        let mut stream = self.bucket(Bucket::Spec).stream.clone();
        let info = stream.info().await;
        let info = info.map_err(|error| StoreError::unavailable("every key", error))?;
        Ok(info.state.last_sequence)
    }

    /// Writes a value under a key of the spec bucket where there is none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: there is one. Otherwise as [`StoreError`] says.
    pub async fn create_spec_value(&self, key: &str, value: &Value) -> Result<u64, StoreError> {
        let created = self.bucket(Bucket::Spec).create(key, value.to_string().into()).await;
        created.map_err(|error| match error.kind() {
            async_nats::jetstream::kv::CreateErrorKind::AlreadyExists => StoreError::conflict(key),
            _ => StoreError::unavailable(key, error),
        })
    }
}
