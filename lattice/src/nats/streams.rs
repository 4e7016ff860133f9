//! Moves whole JetStream streams from one NATS system to another, and says how many copies each has: for a lattice that
//! grows from one server to three.
//!
//! A stream moves as its own snapshot, with its sequence numbers, its deletions and its durable consumers, so that a
//! revision that was read before still names the same record afterwards. Chunk by chunk: no stream is ever in memory.

use std::time::Duration;

use async_nats::{Client, Message, Request};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::Nats;
use super::message::{publish, subscribe};

/// How long JetStream may take to answer one step.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream could not be moved or changed; what was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// JetStream did not answer.
    #[error("JetStream does not answer `{request}`")]
    Silent {
        /// What was asked.
        request: String,
        /// What NATS said.
        #[source]
        source: async_nats::Error,
    },
    /// JetStream said no.
    #[error("JetStream refuses `{request}`: {reason}")]
    Refused {
        /// What was asked.
        request: String,
        /// What it said.
        reason: String,
        /// Its number for that.
        code: u64,
    },
}

impl Nats {
    /// The names of all streams.
    ///
    /// # Errors
    /// JetStream does not answer.
    pub async fn streams(&self) -> Result<Vec<String>, StreamError> {
        let mut names = Vec::new();
        loop {
            let answer =
                ask(self.control(), "STREAM.NAMES", &json!({ "offset": names.len() })).await?;
            let page = answer.get("streams").and_then(Value::as_array).cloned().unwrap_or_default();
            let total = answer.get("total").and_then(Value::as_u64).unwrap_or_default();
            let is_last = page.is_empty();
            names.extend(page.iter().filter_map(Value::as_str).map(str::to_owned));
            if is_last || names.len() as u64 >= total {
                return Ok(names);
            }
        }
    }

    /// Copies one stream to another NATS system, which keeps `copies` of it. Nobody may write to it meanwhile.
    ///
    /// # Errors
    /// One of the two does not answer or refuses; what was copied of the stream is not visible there.
    pub async fn copy_stream(
        &self,
        name: &str,
        to: &Self,
        copies: usize,
    ) -> Result<(), StreamError> {
        let inbox = self.control().new_inbox();
        let subscribed = subscribe(self.control(), &inbox).await;
        let mut chunks = subscribed.map_err(|source| silent(&inbox, source))?;
        let request = format!("STREAM.SNAPSHOT.{name}");
        let snapshot = ask(self.control(), &request, &json!({ "deliver_subject": inbox })).await?;
        let mut config = snapshot.get("config").cloned().unwrap_or_default();
        set_copies(&mut config, copies);
        let restore = json!({ "config": config, "state": snapshot.get("state") });
        let request = format!("STREAM.RESTORE.{name}");
        let answer = ask(to.control(), &request, &restore).await?;
        let deliver = answer.get("deliver_subject").and_then(Value::as_str).unwrap_or_default();
        loop {
            let next = tokio::time::timeout(STEP_TIMEOUT, chunks.next()).await;
            let chunk =
                next.ok().flatten().ok_or_else(|| silent(&request, "a chunk is missing"))?;
            let is_last = chunk.payload.is_empty();
            if chunk.status.is_some_and(|status| status.as_u16() >= 400) {
                let reason = chunk.description.unwrap_or_else(|| "it broke off".to_owned());
                return Err(StreamError::Refused { request, reason, code: 0 });
            }
            let taken = send(to.control(), deliver, chunk.payload).await?;
            if is_last {
                return read(&request, &taken).map(|_| ());
            }
            if let Some(reply) = chunk.reply {
                publish(self.control(), reply, Bytes::new()).await;
            }
        }
    }

    /// Has JetStream keep `copies` of every stream that has fewer. Returns how many it changed.
    ///
    /// # Errors
    /// JetStream does not answer, or has not that many servers just now.
    pub async fn raise_copies(&self, copies: usize) -> Result<usize, StreamError> {
        let mut raised = 0;
        for name in self.streams().await? {
            let info = ask(self.control(), &format!("STREAM.INFO.{name}"), &json!({})).await?;
            let mut config = info.get("config").cloned().unwrap_or_default();
            let has = config.get("num_replicas").and_then(Value::as_u64).unwrap_or(1);
            if has < copies as u64 {
                set_copies(&mut config, copies);
                ask(self.control(), &format!("STREAM.UPDATE.{name}"), &config).await?;
                raised += 1;
            }
        }
        Ok(raised)
    }

    /// Makes and removes a stream of `copies`: whether that many servers keep JetStream's data together.
    ///
    /// # Errors
    /// They do not, yet; the message says what JetStream does.
    pub async fn require_copies(&self, copies: usize) -> Result<(), StreamError> {
        let name = format!("wicker-{}", ulid::Ulid::new());
        let config = json!({
            "name": name, "subjects": [name], "num_replicas": copies, "storage": "file",
        });
        ask(self.control(), &format!("STREAM.CREATE.{name}"), &config).await?;
        self.delete_stream(&name).await
    }

    /// Deletes a stream.
    ///
    /// # Errors
    /// JetStream does not answer, or there is none.
    pub async fn delete_stream(&self, name: &str) -> Result<(), StreamError> {
        ask(self.control(), &format!("STREAM.DELETE.{name}"), &json!({})).await.map(|_| ())
    }
}

fn set_copies(config: &mut Value, copies: usize) {
    if let Some(fields) = config.as_object_mut() {
        fields.insert("num_replicas".to_owned(), copies.into());
    }
}

pub(super) async fn ask(
    client: &Client,
    request: &str,
    question: &Value,
) -> Result<Value, StreamError> {
    let payload = Bytes::from(question.to_string());
    let answer = send(client, &format!("$JS.API.{request}"), payload).await?;
    read(request, &answer)
}

/// Sends one message and waits for what comes back. An inbox of its own: see [`Nats::query`].
async fn send(client: &Client, subject: &str, payload: Bytes) -> Result<Message, StreamError> {
    let request =
        Request::new().payload(payload).inbox(client.new_inbox()).timeout(Some(STEP_TIMEOUT));
    client.send_request(subject.to_owned(), request).await.map_err(|source| silent(subject, source))
}

fn read(request: &str, answer: &Message) -> Result<Value, StreamError> {
    let value: Value =
        serde_json::from_slice(&answer.payload).map_err(|source| silent(request, source))?;
    match value.pointer("/error/description").and_then(Value::as_str) {
        Some(reason) => {
            let code = value.pointer("/error/err_code").and_then(Value::as_u64).unwrap_or_default();
            let (request, reason) = (request.to_owned(), reason.to_owned());
            Err(StreamError::Refused { request, reason, code })
        }
        None => Ok(value),
    }
}

fn silent(request: &str, source: impl Into<async_nats::Error>) -> StreamError {
    StreamError::Silent { request: request.to_owned(), source: source.into() }
}
