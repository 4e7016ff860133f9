//! What a backend has to say.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

/// A message, on its way to a broker or from one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Where it goes, or came in.
    pub subject: String,
    /// Any bytes.
    pub body: Bytes,
    /// Where an answer is expected, if one is.
    pub reply_to: Option<String>,
    /// Names may repeat.
    pub headers: Vec<(String, String)>,
}

/// One link's connection to a broker, for sending.
pub trait Broker: Send + Sync + 'static {
    /// Sends a message. What `Ok` promises is each backend's own to state.
    fn publish(&self, message: Message) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sends a message and waits for the first answer, at most `timeout`.
    fn request(
        &self,
        message: Message,
        timeout: Duration,
    ) -> impl Future<Output = Result<Message, Failure>> + Send;
}

/// A message was not sent, or no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Says which subject.
    #[error("{0}")]
    Denied(String),
    /// Says what the broker does not understand.
    #[error("{0}")]
    Invalid(String),
    /// The broker's limit, bytes.
    #[error("the message is larger than {0} bytes, which is all that the broker takes")]
    TooLarge(u64),
    /// Nobody listens to the subject of a request.
    #[error("nobody listens to the subject")]
    NobodyListens,
    /// Somebody may have got the message.
    #[error("no answer came in time")]
    Timeout,
    /// Anything else, for people and free of secrets.
    #[error("{0}")]
    Other(String),
}
