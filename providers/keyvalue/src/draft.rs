//! wasi:keyvalue@0.2.0-draft over [`KeyValue`].

wicker_provider::bindgen!({
    path: "../../wit/wasi-keyvalue-0.2.0-draft",
    interfaces: [
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:keyvalue/atomics@0.2.0-draft",
        "wasi:keyvalue/batch@0.2.0-draft",
    ],
});

use bytes::Bytes;
use wicker_provider::Own;

use self::atomics::Atomics;
use self::batch::Batch;
use self::store::{Error, KeyResponse, Store};
use crate::backend::{Failure, KeyValue};

crate::store::serve!(cursor: u64, read: |cursor| Ok::<_, Error>(cursor), write: |cursor| cursor);

impl<L: KeyValue> Atomics for L {
    async fn increment(&self, bucket: &String, key: String, delta: u64) -> Result<u64, Error> {
        let out_of_range = |_| Error::Other("the sum is out of range".to_owned());
        let delta = i64::try_from(delta).map_err(out_of_range)?;
        let sum = KeyValue::increment(self, bucket, &key, delta).await?;
        u64::try_from(sum).map_err(out_of_range)
    }
}

impl<L: KeyValue> Batch for L {
    async fn get_many(
        &self,
        bucket: &String,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Bytes)>>, Error> {
        let values = KeyValue::get_many(self, bucket, &keys).await?;
        Ok(keys
            .into_iter()
            .zip(values)
            .map(|(key, value)| value.map(|value| (key, value)))
            .collect())
    }

    async fn set_many(
        &self,
        bucket: &String,
        key_values: Vec<(String, Bytes)>,
    ) -> Result<(), Error> {
        Ok(KeyValue::set_many(self, bucket, key_values).await?)
    }

    async fn delete_many(&self, bucket: &String, keys: Vec<String>) -> Result<(), Error> {
        Ok(KeyValue::delete_many(self, bucket, &keys).await?)
    }
}
