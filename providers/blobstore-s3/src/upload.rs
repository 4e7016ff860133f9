//! An object that is being written: one request if it is small, else parts that nobody sees until all are there, and that
//! are given up if they never are.

use std::sync::Arc;

use blobstore::blobs::Error;
use bytes::{Bytes, BytesMut};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, UploadPart};
use wicker_process::Tasks;

use crate::error::failed;

/// Bytes of a part. Endpoints take no fewer than 5 MiB, and 10,000 of them.
const PART_BYTES: usize = 8 << 20;

/// An object that is being written. Dropped before it is kept, its parts are given up.
pub(crate) struct Upload {
    store: Arc<AmazonS3>,
    key: Path,
    tasks: Tasks,
    gathered: BytesMut,
    size: u64,
    parts: Option<Box<dyn MultipartUpload>>,
    /// The part under way: the next one is gathered meanwhile.
    sending: Option<UploadPart>,
}

impl Upload {
    pub(crate) fn new(store: Arc<AmazonS3>, key: Path, tasks: Tasks) -> Self {
        Self { store, key, tasks, gathered: BytesMut::new(), size: 0, parts: None, sending: None }
    }

    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PART_BYTES - self.gathered.len();
            self.gathered.extend_from_slice(&bytes.split_to(bytes.len().min(room)));
            if self.gathered.len() == PART_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends what is gathered as a part, once the one before it has arrived.
    async fn send(&mut self) -> Result<(), Error> {
        if self.parts.is_none() {
            let begun = self.store.put_multipart(&self.key).await;
            self.parts = Some(begun.map_err(|error| failed(ATTEMPT, error))?);
        }
        self.sent().await?;
        let part = self.gathered.split().freeze();
        self.sending = self.parts.as_mut().map(|parts| parts.put_part(part.into()));
        // It is sent while more is gathered: somebody must poll it.
        if let Some(sending) = self.sending.take() {
            let (done, is_done) = tokio::sync::oneshot::channel();
            self.tasks.spawn_work(async move {
                let _ = done.send(sending.await);
            });
            self.sending =
                Some(Box::pin(async move { is_done.await.unwrap_or_else(|_| Err(stopping())) }));
        }
        Ok(())
    }

    async fn sent(&mut self) -> Result<(), Error> {
        match self.sending.take() {
            Some(sending) => sending.await.map_err(|error| failed(ATTEMPT, error)),
            None => Ok(()),
        }
    }

    /// Makes the object appear, over whatever was there. Returns its bytes.
    pub(crate) async fn keep(mut self) -> Result<u64, Error> {
        if self.parts.is_none() {
            let whole = self.gathered.split().freeze();
            let kept = self.store.put(&self.key, whole.into()).await;
            return kept.map(|_| self.size).map_err(|error| failed(ATTEMPT, error));
        }
        if !self.gathered.is_empty() {
            self.send().await?;
        }
        self.sent().await?;
        if let Some(parts) = &mut self.parts {
            parts.complete().await.map_err(|error| failed(ATTEMPT, error))?;
        }
        self.parts = None;
        Ok(self.size)
    }
}

const ATTEMPT: &str = "cannot write the object";

fn stopping() -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: "the provider is stopping".into() }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            let key = self.key.clone();
            self.tasks.spawn_work(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(%key, %error, "parts of an object stay behind");
                }
            });
        }
    }
}
