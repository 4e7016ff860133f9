//! One link's way out.

use std::error::Error;
use std::time::Duration;

use async_nats::client::{PublishErrorKind, RequestErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{Request, jetstream};
use messaging::{Broker, Failure, Message};

use crate::config::LinkConfig;
use crate::{letter, subject};

/// One link of a component that sends.
#[derive(Debug)]
pub struct Sender {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    config: LinkConfig,
}

impl Sender {
    pub(crate) fn new(
        client: async_nats::Client,
        jetstream: jetstream::Context,
        config: LinkConfig,
    ) -> Self {
        Self { client, jetstream, config }
    }

    fn check(&self, message: &Message) -> Result<(), Failure> {
        subject::check(&message.subject)?;
        messaging::subject::check_allowed(&message.subject, &self.config.subjects)?;
        message.reply_to.as_deref().map_or(Ok(()), subject::check)?;
        let limit = self.client.max_payload();
        let headers: usize =
            message.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        if message.body.len() + headers > limit {
            return Err(Failure::TooLarge(limit as u64));
        }
        Ok(())
    }

    async fn send(&self, message: Message) -> Result<(), Failure> {
        let headers = letter::headers(&message)?;
        let Message { subject, body, reply_to, .. } = message;
        let sent = match reply_to {
            Some(reply_to) => {
                self.client.publish_with_reply_and_headers(subject, reply_to, headers, body).await
            }
            None => self.client.publish_with_headers(subject, headers, body).await,
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                Failure::TooLarge(self.client.max_payload() as u64)
            }
            _ => Failure::Other(failure("cannot send", &error)),
        })?;
        let flushed = self.client.flush().await;
        flushed.map_err(|error| Failure::Other(failure("cannot send", &error)))
    }

    async fn store(&self, message: Message) -> Result<(), Failure> {
        let headers = letter::headers(&message)?;
        let Message { subject, body, reply_to, .. } = message;
        if reply_to.is_some() {
            let why =
                "a message with a reply-to cannot be sent through a link that is `acknowledged`";
            return Err(Failure::Invalid(why.to_owned()));
        }
        let publish = PublishMessage::build().headers(headers).payload(body);
        let attempt = "JetStream has not said that it stored the message";
        let failed = |error: &dyn Error| Failure::Other(failure(attempt, error));
        let sent = self.jetstream.send_publish(subject, publish).await;
        sent.map_err(|error| failed(&error))?.await.map_err(|error| failed(&error)).map(drop)
    }
}

impl Broker for Sender {
    async fn publish(&self, message: Message) -> Result<(), Failure> {
        self.check(&message)?;
        let is_answer = !self.config.acknowledged || message.subject.starts_with("_INBOX.");
        if is_answer { self.send(message).await } else { self.store(message).await }
    }

    async fn request(&self, message: Message, timeout: Duration) -> Result<Message, Failure> {
        self.check(&message)?;
        let headers = letter::headers(&message)?;
        let request = Request::new().headers(headers).payload(message.body).timeout(Some(timeout));
        let answer = self.client.send_request(message.subject, request).await;
        answer.map(letter::received).map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Failure::NobodyListens,
            RequestErrorKind::TimedOut => Failure::Timeout,
            _ => Failure::Other(failure("the request failed", &error)),
        })
    }
}

/// What failed and why, on one line.
pub(crate) fn failure(attempt: &str, error: &dyn Error) -> String {
    let mut text = format!("{attempt}: {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
