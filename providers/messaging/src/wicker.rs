//! wicker:messaging@0.1.0 over [`Broker`].

wicker_provider::bindgen!({
    path: "../../wit/wicker-messaging",
    interfaces: ["wicker:messaging/consumer@0.1.0", "wicker:messaging/handler@0.1.0"],
});

use std::time::Duration;

use self::consumer::Consumer;
use self::types::{Error, Message as WitMessage};
use crate::broker::{Broker, Failure, Message};

impl From<WitMessage> for Message {
    fn from(message: WitMessage) -> Self {
        let WitMessage { subject, body, reply_to, headers } = message;
        Self { subject, body, reply_to, headers }
    }
}

impl From<Message> for WitMessage {
    fn from(message: Message) -> Self {
        let Message { subject, body, reply_to, headers } = message;
        Self { subject, body, reply_to, headers }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(why) => Self::Denied(why),
            Failure::Invalid(why) => Self::Invalid(why),
            Failure::TooLarge(limit) => Self::TooLarge(limit),
            Failure::NobodyListens => Self::NobodyListens,
            Failure::Timeout => Self::Timeout,
            Failure::Other(why) => Self::Other(why),
        }
    }
}

impl<L: Broker> Consumer for L {
    async fn publish(&self, message: WitMessage) -> Result<(), Error> {
        Ok(Broker::publish(self, message.into()).await?)
    }

    async fn request(&self, message: WitMessage, timeout_ms: u32) -> Result<WitMessage, Error> {
        let timeout = Duration::from_millis(timeout_ms.into());
        Ok(Broker::request(self, message.into(), timeout).await?.into())
    }
}
