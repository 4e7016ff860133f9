//! One link's way in.

use std::sync::Arc;
use std::time::Duration;

use messaging::{Broker, Failure, Message, subject};
use tokio::time::timeout;

use crate::topics::{Published, Topics};

/// One link of a component that sends.
#[derive(Debug)]
pub struct Sender {
    topics: Arc<Topics>,
    allowed: Vec<String>,
}

impl Sender {
    pub(crate) fn new(topics: Arc<Topics>, allowed: Vec<String>) -> Self {
        Self { topics, allowed }
    }

    fn check(&self, message: &Message) -> Result<(), Failure> {
        subject::check(&message.subject)?;
        subject::check_allowed(&message.subject, &self.allowed)?;
        message.reply_to.as_deref().map_or(Ok(()), subject::check)?;
        for (name, value) in &message.headers {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_name || name.contains(':') || value.contains(['\r', '\n']) {
                return Err(Failure::Invalid(format!("`{name}` is no header")));
            }
        }
        let headers: usize =
            message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if message.body.len() + headers > self.topics.message_bytes_max() {
            return Err(Failure::TooLarge(self.topics.message_bytes_max() as u64));
        }
        Ok(())
    }
}

impl Broker for Sender {
    async fn publish(&self, message: Message) -> Result<(), Failure> {
        self.check(&message)?;
        self.topics.publish(message).map(drop)
    }

    async fn request(&self, message: Message, patience: Duration) -> Result<Message, Failure> {
        self.check(&message)?;
        let (inbox, answer) = self.topics.inbox();
        let sent = self.topics.publish(Message { reply_to: Some(inbox.clone()), ..message });
        let outcome = match sent {
            Ok(Published::ToNobody) => Err(Failure::NobodyListens),
            Ok(Published::ToSomebody) => match timeout(patience, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) | Err(_) => Err(Failure::Timeout),
            },
            Err(failure) => Err(failure),
        };
        self.topics.close_inbox(&inbox);
        outcome
    }
}
