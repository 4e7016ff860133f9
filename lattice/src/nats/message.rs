//! Plain messages: published to whoever listens, or asked of one process and answered, in JSON.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{Client, RequestErrorKind, Subject, Subscriber};
use bytes::Bytes;
use futures::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Nats, try_publish};
use crate::call::{CallError, Status};
use crate::id::ProcessId;
use crate::subject;

/// How long a message may wait for its turn on the connection.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the server may take to learn of a subscription.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a process answers to a question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer<T> {
    /// The answer.
    Ok(T),
    /// Why there is none.
    Error {
        /// What went wrong.
        status: Status,
        /// For people.
        message: String,
    },
}

/// One message, as it came.
#[derive(Debug, Clone)]
pub struct PlainMessage {
    /// Where it was published.
    pub subject: String,
    /// What it says.
    pub payload: Bytes,
}

/// The messages of one subscription, from when it was made. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(Subscriber);

/// A plain message was not sent, or not understood.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The connection takes no messages just now.
    #[error("cannot publish on `{subject}`: no connection to NATS takes it")]
    Unsent {
        /// Where it should have gone.
        subject: String,
    },
    /// The subscription was not made.
    #[error("cannot subscribe to `{subject}`")]
    Unsubscribed {
        /// To what.
        subject: String,
        /// What went wrong.
        #[source]
        source: async_nats::Error,
    },
    /// It is not the JSON that was expected there.
    #[error("cannot read a message on `{subject}`")]
    Json {
        /// Where.
        subject: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Nats {
    /// Publishes to whoever listens; waits up to two seconds for room on the connection.
    ///
    /// # Errors
    /// [`MessageError::Unsent`]: nobody will see it. Success does not say that anybody did.
    pub async fn publish(&self, subject: &str, payload: Bytes) -> Result<(), MessageError> {
        let sending = publish(self.control(), subject.into(), payload);
        match tokio::time::timeout(PUBLISH_TIMEOUT, sending).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(MessageError::Unsent { subject: subject.to_owned() }),
        }
    }

    /// [`Nats::publish`], in JSON.
    ///
    /// # Errors
    /// As there, or `value` has no JSON form.
    pub async fn publish_json<T: Serialize + Sync>(
        &self,
        subject: &str,
        value: &T,
    ) -> Result<(), MessageError> {
        self.publish(subject, to_json(subject, value)?).await
    }

    /// Publishes without waiting, or not at all: for what may be lost, such as log lines. Tells whether it was sent.
    pub fn try_publish(&self, subject: &str, payload: Bytes) -> bool {
        try_publish(self.control(), subject.into(), payload).is_ok()
    }

    /// Listens to `subject`, in which `*` stands for one token and a last `>` for all that follow. When this returns,
    /// the server has the subscription.
    ///
    /// # Errors
    /// [`MessageError::Unsubscribed`]: the connection is closed or does not answer.
    pub async fn subscribe(&self, subject: &str) -> Result<Subscription, MessageError> {
        subscribe(self.control(), subject).await.map(Subscription)
    }

    /// Asks process `to` and waits for its answer, up to `timeout`.
    ///
    /// # Errors
    /// [`Status::Unavailable`]: no such process is connected. [`Status::Deadline`]: it does not answer.
    /// [`Status::BadFrame`]: its answer is not what was expected. Otherwise the process's own.
    pub async fn query<Q, A>(
        &self,
        (lattice, to): (&str, ProcessId),
        verb: &str,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
    {
        let subject = subject::query(lattice, to, verb);
        let bad = |error: MessageError| CallError::new(Status::BadFrame, error.to_string());
        let payload = to_json(&subject, question).map_err(bad)?;
        // An inbox of its own: a request on the shared one that times out is never forgotten (nats.rs #1617).
        let inbox = self.control().new_inbox();
        let request =
            async_nats::Request::new().payload(payload).inbox(inbox).timeout(Some(timeout));
        let answer = self.control().send_request(subject.clone(), request).await;
        let message = answer.map_err(|error| unanswered(error.kind(), to, verb))?;
        match from_json::<Answer<A>>(&subject, &message.payload).map_err(bad)? {
            Answer::Ok(answer) => Ok(answer),
            Answer::Error { status, message } => Err(CallError { status, message }),
        }
    }
}

/// Why a question has no answer.
fn unanswered(kind: RequestErrorKind, to: ProcessId, verb: &str) -> CallError {
    let (status, why) = match kind {
        RequestErrorKind::NoResponders => (Status::Unavailable, "is not connected to this lattice"),
        RequestErrorKind::TimedOut => (Status::Deadline, "does not answer"),
        _ => (Status::Unavailable, "cannot be reached: no connection to NATS"),
    };
    CallError::new(status, format!("cannot ask process {to} for `{verb}`: it {why}"))
}

/// Publishes; `false` if the connection is closed.
#[expect(clippy::disallowed_methods, reason = "this is the module that others go through")]
pub(crate) async fn publish(client: &Client, subject: Subject, payload: Bytes) -> bool {
    client.publish(subject, payload).await.is_ok()
}

/// Subscribes, and waits until the server knows.
#[expect(clippy::disallowed_methods, reason = "this is the module that others go through")]
pub(crate) async fn subscribe(client: &Client, subject: &str) -> Result<Subscriber, MessageError> {
    let failed = |source: async_nats::Error| MessageError::Unsubscribed {
        subject: subject.to_owned(),
        source,
    };
    let subscriber =
        client.subscribe(subject.to_owned()).await.map_err(|error| failed(error.into()))?;
    settle(client).await.map_err(|error| failed(error.into()))?;
    Ok(subscriber)
}

/// Waits until the server has seen to everything that was sent on this connection.
///
/// A flush only empties our own buffers; the server works in order, so its *no responders* to a question that nobody
/// can answer says that it has worked off what came before.
pub(crate) async fn settle(client: &Client) -> Result<(), async_nats::RequestError> {
    let inbox = client.new_inbox();
    let request = async_nats::Request::new().inbox(inbox).timeout(Some(SUBSCRIBE_TIMEOUT));
    match client.send_request(client.new_inbox(), request).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(error),
    }
}

fn to_json<T: Serialize>(subject: &str, value: &T) -> Result<Bytes, MessageError> {
    let json = serde_json::to_vec(value);
    json.map(Bytes::from)
        .map_err(|source| MessageError::Json { subject: subject.to_owned(), source })
}

fn from_json<T: DeserializeOwned>(subject: &str, payload: &[u8]) -> Result<T, MessageError> {
    let value = serde_json::from_slice(payload);
    value.map_err(|source| MessageError::Json { subject: subject.to_owned(), source })
}

impl PlainMessage {
    /// Reads the message as JSON.
    ///
    /// # Errors
    /// [`MessageError::Json`]: it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, MessageError> {
        from_json(&self.subject, &self.payload)
    }
}

impl Stream for Subscription {
    type Item = PlainMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PlainMessage>> {
        Pin::new(&mut self.0).poll_next(cx).map(|message| {
            let message = message?;
            Some(PlainMessage { subject: message.subject.to_string(), payload: message.payload })
        })
    }
}
