//! wasmcloud:messaging@0.2.0 over [`Broker`].

wicker_provider::bindgen!({
    path: "../../wit/wasmcloud-messaging-0.2",
    interfaces: ["wasmcloud:messaging/consumer@0.2.0", "wasmcloud:messaging/handler@0.2.0"],
});

use std::time::Duration;

use bytes::Bytes;

use self::consumer::Consumer;
use self::types::BrokerMessage;
use crate::broker::{Broker, Message};

impl From<BrokerMessage> for Message {
    fn from(message: BrokerMessage) -> Self {
        let BrokerMessage { subject, body, reply_to } = message;
        Self { subject, body, reply_to, headers: Vec::new() }
    }
}

impl From<Message> for BrokerMessage {
    fn from(message: Message) -> Self {
        let Message { subject, body, reply_to, headers: _ } = message;
        Self { subject, body, reply_to }
    }
}

impl<L: Broker> Consumer for L {
    async fn request(
        &self,
        subject: String,
        body: Bytes,
        timeout_ms: u32,
    ) -> Result<BrokerMessage, String> {
        let message = Message { subject, body, ..Message::default() };
        let timeout = Duration::from_millis(timeout_ms.into());
        let answer = Broker::request(self, message, timeout).await;
        answer.map(Into::into).map_err(|failure| failure.to_string())
    }

    async fn publish(&self, msg: BrokerMessage) -> Result<(), String> {
        Broker::publish(self, msg.into()).await.map_err(|failure| failure.to_string())
    }
}
