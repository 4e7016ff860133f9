//! One object store: what is known of an object, and its chunks.

use std::error::Error as StdError;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::context;
use async_nats::jetstream::object_store::ObjectInfo;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind, Stream};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use blobstore::blobs::Error;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::timeout;
use wicker_provider::lattice::call::StreamError;

/// How long JetStream may be silent while it lists names.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Times that a chunk is asked for: with several copies, one that lags may be asked before it has it.
const CHUNK_ATTEMPTS: u32 = 5;

/// The pause before the second; it doubles.
const CHUNK_PAUSE: Duration = Duration::from_millis(20);

/// A longer subject may be more than servers take.
const NAME_BYTES_MAX: usize = 1_024;

/// One object store.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) jetstream: context::Context,
    pub(crate) stream: Stream,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn chunks(&self, nuid: &str) -> String {
        format!("$O.{}.C.{nuid}", self.name)
    }

    pub(crate) fn subject(&self, name: &str) -> Result<String, Error> {
        match name.len() {
            0 => Err(Error::Invalid("an object's name is not empty".to_owned())),
            1..=NAME_BYTES_MAX => Ok(format!("$O.{}.M.{}", self.name, URL_SAFE.encode(name))),
            _ => Err(Error::Invalid(format!("a name has {NAME_BYTES_MAX} bytes at most"))),
        }
    }

    /// What is known of an object; `None` where there is none.
    pub(crate) async fn info(&self, name: &str) -> Result<Option<ObjectInfo>, Error> {
        let last = self.stream.get_last_raw_message_by_subject(&self.subject(name)?).await;
        let message = match last {
            Ok(message) => message,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Err(error) => return Err(unavailable("cannot look for the object", &error)),
        };
        let info: ObjectInfo = serde_json::from_slice(&message.payload).map_err(|error| {
            Error::Other(format!("cannot read what is known of the object: {error}"))
        })?;
        Ok((!info.deleted).then_some(info))
    }

    pub(crate) async fn existing(&self, name: &str) -> Result<ObjectInfo, Error> {
        let info = self.info(name).await?.ok_or(Error::NoSuchObject)?;
        if info.options.as_ref().is_some_and(|options| options.link.is_some()) {
            return Err(Error::Other(
                "the object is a link to another one, which is not followed".to_owned(),
            ));
        }
        Ok(info)
    }

    /// So many bytes of an object, from `start`.
    pub(crate) fn read(
        &self,
        info: ObjectInfo,
        start: u64,
        length: u64,
    ) -> impl futures::Stream<Item = Result<Bytes, StreamError>> + Send + use<> {
        let chunks = Chunks {
            bucket: self.clone(),
            subject: self.chunks(&info.nuid),
            after: 0,
            left: info.chunks,
        };
        let chunks = stream::try_unfold(chunks, Chunks::next);
        let mut window = (start, length);
        // Asked for one behind the other: each says where the next one is.
        let parts = chunks.map_ok(move |chunk| cut(chunk, &mut window));
        let has_any = length > 0;
        parts
            .try_take_while(move |part| std::future::ready(Ok(has_any && part.is_some())))
            .try_filter_map(|part| std::future::ready(Ok(part.filter(|part| !part.is_empty()))))
            .boxed()
    }

    /// What is known of all objects.
    pub(crate) async fn infos(
        &self,
    ) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        let attempt = "cannot list the objects";
        let config = OrderedConfig {
            deliver_subject: self.jetstream.client().new_inbox(),
            description: Some("wicker:blobstore list".to_owned()),
            filter_subject: format!("$O.{}.M.>", self.name),
            deliver_policy: DeliverPolicy::LastPerSubject,
            ..OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| unavailable(attempt, &error))?;
        let count = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);
        let messages = consumer.messages().await.map_err(|error| unavailable(attempt, &error))?;
        let infos = stream::try_unfold((messages, count), move |(mut messages, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let next = timeout(LIST_TIMEOUT, messages.next()).await;
            let next = next.map_err(|error| unavailable(attempt, &error))?;
            let Some(message) = next else { return Ok(None) };
            let message = message.map_err(|error| unavailable(attempt, &error))?;
            let info = serde_json::from_slice::<ObjectInfo>(&message.payload).ok();
            Ok(Some((info.filter(|info| !info.deleted), (messages, left - 1))))
        });
        Ok(infos.try_filter_map(|info| std::future::ready(Ok(info))).boxed())
    }

    /// Removes an object, if it is there.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let Some(mut info) = self.info(name).await? else { return Ok(()) };
        let nuid = info.nuid.clone();
        (info.chunks, info.size, info.deleted) = (0, 0, true);
        self.say(name, &info)
            .await
            .map_err(|error| uncertain("cannot remove the object", &*error))?;
        self.forget(&nuid).await;
        Ok(())
    }

    /// Replaces what is known of an object, in one step.
    pub(crate) async fn say(
        &self,
        name: &str,
        info: &ObjectInfo,
    ) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Rollup", "sub");
        let (subject, text) =
            (self.subject(name).map_err(|error| format!("{error:?}"))?, serde_json::to_vec(info)?);
        let sent = self.jetstream.publish_with_headers(subject, headers, text.into()).await?;
        sent.await?;
        Ok(())
    }

    /// Removes chunks that no object has any more. Failing that they stay, and nobody sees them.
    pub(crate) async fn forget(&self, nuid: &str) {
        if let Err(error) = self.stream.purge().filter(self.chunks(nuid)).await {
            tracing::warn!(bucket = self.name, nuid, %error, "chunks of an object stay behind");
        }
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Chunks of one object, still to be read.
struct Chunks {
    bucket: Bucket,
    subject: String,
    /// Where the last one was.
    after: u64,
    left: usize,
}

impl Chunks {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StreamError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut pause = CHUNK_PAUSE;
        for attempt in 1.. {
            let asked =
                self.bucket.stream.direct_get_next_for_subject(&self.subject, Some(self.after + 1));
            match asked.await {
                Ok(message) => {
                    (self.after, self.left) = (message.sequence, self.left - 1);
                    return Ok(Some((message.payload, self)));
                }
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                    if attempt == CHUNK_ATTEMPTS {
                        let why = "the object was replaced or removed while it was read";
                        return Err(StreamError::Aborted(why.to_owned()));
                    }
                }
                Err(error) => {
                    let why = format!("cannot read the object: {}", chain(&error));
                    return Err(StreamError::Aborted(why));
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(None)
    }
}

/// The part of a chunk that lies in a window of so many bytes (to skip, to take); `None` behind it.
fn cut(mut chunk: Bytes, (skip, take): &mut (u64, u64)) -> Option<Bytes> {
    if *take == 0 {
        return None;
    }
    let len = |bytes: &Bytes| bytes.len() as u64;
    let skipped = len(&chunk).min(*skip);
    *skip -= skipped;
    let _ = chunk.split_to(usize::try_from(skipped).unwrap_or_default());
    let taken = len(&chunk).min(*take);
    *take -= taken;
    chunk.truncate(usize::try_from(taken).unwrap_or_default());
    Some(chunk)
}

/// Nothing was done.
pub(crate) fn unavailable(attempt: &str, error: &dyn StdError) -> Error {
    Error::Unavailable(format!("{attempt}: {}", chain(error)))
}

/// A write whose answer did not come.
pub(crate) fn uncertain(attempt: &str, error: &dyn StdError) -> Error {
    Error::Other(format!("{attempt}: {}; it may have happened", chain(error)))
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_cut_out_of_chunks() {
        let mut window = (3, 4);
        let mut cut = |text: &'static str| cut(Bytes::from_static(text.as_bytes()), &mut window);
        assert_eq!(cut("01").as_deref(), Some(&b""[..]));
        assert_eq!(cut("234").as_deref(), Some(&b"34"[..]));
        assert_eq!(cut("56789").as_deref(), Some(&b"56"[..]));
        assert_eq!(cut("x"), None);
    }
}
