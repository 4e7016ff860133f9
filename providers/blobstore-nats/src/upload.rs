//! An object that is being written: chunks that nobody sees until the object is said to be there, and that go if it never is.

use std::collections::VecDeque;
use std::future::IntoFuture as _;

use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::object_store::{ObjectInfo, ObjectOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use blobstore::blobs::Error;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use ulid::Ulid;
use wicker_process::Tasks;

use crate::bucket::{Bucket, unavailable, uncertain};

/// Bytes of a chunk, where the server takes as many: what other clients make.
const CHUNK_BYTES: usize = 128 << 10;

/// Chunks under way to the server.
const CHUNKS_SENT: usize = 8;

/// An object that is being written. Dropped before it is kept, its chunks are removed.
pub(crate) struct Upload {
    bucket: Bucket,
    tasks: Tasks,
    nuid: String,
    chunk_bytes: usize,
    gathered: BytesMut,
    sent: VecDeque<PublishAckFuture>,
    digest: Sha256,
    chunks: usize,
    size: usize,
    is_kept: bool,
}

impl Upload {
    pub(crate) fn new(bucket: &Bucket, tasks: &Tasks) -> Self {
        let payload_max = bucket.jetstream.client().max_payload();
        Self {
            bucket: bucket.clone(),
            tasks: tasks.clone(),
            nuid: Ulid::new().to_string(),
            chunk_bytes: CHUNK_BYTES.min(payload_max),
            gathered: BytesMut::new(),
            sent: VecDeque::new(),
            digest: Sha256::new(),
            chunks: 0,
            size: 0,
            is_kept: false,
        }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.digest.update(&bytes);
        self.size += bytes.len();
        self.gathered.extend_from_slice(&bytes);
        while self.gathered.len() >= self.chunk_bytes {
            let chunk = self.gathered.split_to(self.chunk_bytes).freeze();
            self.send(chunk).await?;
        }
        Ok(())
    }

    async fn send(&mut self, chunk: Bytes) -> Result<(), Error> {
        let failed = |error: &dyn std::error::Error| unavailable("cannot write the object", error);
        self.chunks += 1;
        let sent = self.bucket.jetstream.publish(self.bucket.chunks(&self.nuid), chunk).await;
        self.sent.push_back(sent.map_err(|error| failed(&error))?);
        if self.sent.len() >= CHUNKS_SENT {
            self.acknowledged().await?;
        }
        Ok(())
    }

    /// Waits for the oldest chunk.
    async fn acknowledged(&mut self) -> Result<(), Error> {
        let Some(oldest) = self.sent.pop_front() else { return Ok(()) };
        let kept = oldest.into_future().await;
        kept.map(drop).map_err(|error| unavailable("cannot write the object", &error))
    }

    /// Makes the object appear, over whatever was there. Returns its bytes.
    pub(crate) async fn keep(mut self, name: &str) -> Result<u64, Error> {
        if !self.gathered.is_empty() {
            let last = self.gathered.split().freeze();
            self.send(last).await?;
        }
        while !self.sent.is_empty() {
            self.acknowledged().await?;
        }
        let digest = std::mem::take(&mut self.digest).finalize();
        let info = ObjectInfo {
            name: name.to_owned(),
            description: None,
            metadata: std::collections::HashMap::new(),
            headers: None,
            options: Some(ObjectOptions { link: None, max_chunk_size: Some(self.chunk_bytes) }),
            bucket: self.bucket.name.clone(),
            nuid: self.nuid.clone(),
            size: self.size,
            chunks: self.chunks,
            modified: Some(async_nats::datetime::now()),
            digest: Some(format!("SHA-256={}", URL_SAFE.encode(digest))),
            deleted: false,
        };
        // Whether or not its answer comes: from now on the chunks may be those of an object.
        self.is_kept = true;
        let said = self.bucket.say(name, &info).await;
        said.map_err(|error| uncertain("cannot write the object", &*error))?;
        Ok(self.size as u64)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_kept && self.chunks > 0 {
            let (bucket, nuid) = (self.bucket.clone(), std::mem::take(&mut self.nuid));
            self.tasks.spawn_work(async move { bucket.forget(&nuid).await });
        }
    }
}
