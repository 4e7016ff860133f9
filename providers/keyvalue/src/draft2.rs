//! wasi:keyvalue@0.2.0-draft2 over [`KeyValue`].

wicker_provider::bindgen!({
    path: "../../wit/wasi-keyvalue-0.2.0-draft2",
    interfaces: [
        "wasi:keyvalue/store@0.2.0-draft2",
        "wasi:keyvalue/atomics@0.2.0-draft2",
        "wasi:keyvalue/batch@0.2.0-draft2",
    ],
});

use bytes::Bytes;
use wicker_provider::Own;

use self::atomics::{Atomics, CasError};
use self::batch::Batch;
use self::store::{Error, KeyResponse, Store};
use crate::backend::{Failure, KeyValue, Swap};
use crate::cas::Cas;

crate::store::serve!(cursor: String, read: |cursor| cursor.parse().map_err(|_| Error::Other("the cursor is not one of ours".to_owned())), write: |cursor| cursor.to_string());

impl<L: KeyValue> Atomics for L {
    type Cas = Cas;

    async fn cas_new(&self, bucket: &String, key: String) -> Result<Own<Cas>, Error> {
        let version = self.version(bucket, &key).await?;
        Ok(Own(Cas { bucket: bucket.clone(), key, version }))
    }

    async fn cas_current(&self, this: &Cas) -> Result<Option<Bytes>, Error> {
        Ok(self.get(&this.bucket, &this.key).await?)
    }

    async fn increment(&self, bucket: &String, key: String, delta: i64) -> Result<i64, Error> {
        Ok(KeyValue::increment(self, bucket, &key, delta).await?)
    }

    async fn swap(&self, cas: Cas, value: Bytes) -> Result<(), CasError<Cas>> {
        let Cas { bucket, key, version } = cas;
        let swapped = KeyValue::swap(self, &bucket, &key, &version, value).await;
        match swapped.map_err(|failure| CasError::StoreError(failure.into()))? {
            Swap::Done => Ok(()),
            Swap::Changed(version) => Err(CasError::CasFailed(Own(Cas { bucket, key, version }))),
        }
    }
}

impl<L: KeyValue> Batch for L {
    async fn get_many(
        &self,
        bucket: &String,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Bytes>)>, Error> {
        let values = KeyValue::get_many(self, bucket, &keys).await?;
        Ok(keys.into_iter().zip(values).collect())
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
