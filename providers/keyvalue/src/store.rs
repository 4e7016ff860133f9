//! wasi:keyvalue/store over [`KeyValue`](crate::backend::KeyValue): both drafts have it, and differ in the type of a
//! page's cursor.

/// Serves the `store` of the draft in whose module this stands. `read` makes a page's number of a cursor, `write` the
/// other way round.
macro_rules! serve {
    (cursor: $cursor:ty, read: |$read:ident| $number:expr, write: |$write:ident| $text:expr) => {
        impl From<Failure> for Error {
            fn from(failure: Failure) -> Self {
                match failure {
                    Failure::NoSuchBucket => Self::NoSuchStore,
                    Failure::Denied => Self::AccessDenied,
                    Failure::Other(why) => Self::Other(why),
                }
            }
        }

        impl<L: KeyValue> Store for L {
            type Bucket = String;

            async fn open(&self, identifier: String) -> Result<Own<String>, Error> {
                KeyValue::open(self, &identifier).await?;
                Ok(Own(identifier))
            }

            async fn bucket_get(
                &self,
                bucket: &String,
                key: String,
            ) -> Result<Option<Bytes>, Error> {
                Ok(self.get(bucket, &key).await?)
            }

            async fn bucket_set(
                &self,
                bucket: &String,
                key: String,
                value: Bytes,
            ) -> Result<(), Error> {
                Ok(self.set(bucket, &key, value).await?)
            }

            async fn bucket_delete(&self, bucket: &String, key: String) -> Result<(), Error> {
                Ok(self.delete(bucket, &key).await?)
            }

            async fn bucket_exists(&self, bucket: &String, key: String) -> Result<bool, Error> {
                Ok(self.exists(bucket, &key).await?)
            }

            async fn bucket_list_keys(
                &self,
                bucket: &String,
                cursor: Option<$cursor>,
            ) -> Result<KeyResponse, Error> {
                let number = match cursor {
                    Some($read) => $number?,
                    None => 0,
                };
                let page = self.keys(bucket, number).await?;
                Ok(KeyResponse { keys: page.keys, cursor: page.cursor.map(|$write| $text) })
            }
        }
    };
}

pub(crate) use serve;
