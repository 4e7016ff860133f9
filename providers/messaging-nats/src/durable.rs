//! Durable subscriptions: a JetStream consumer, whose messages are acknowledged when the handler has said ok.
//!
//! A delivery that reached no handler is not counted: it is tried again here, for as long as it takes, and JetStream is
//! told that the work goes on. One that failed, or may have, is given back to be delivered again after a pause, and set
//! aside when that has happened often enough. The server itself never gives up: a process that dies with the last
//! delivery in its hands would lose the message.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull::{Config, Stream as Pulled};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use futures::{FutureExt as _, StreamExt as _};
use messaging::{Delivery, Outcome, Subscriber};
use tokio::sync::Semaphore;
use wicker_process::Tasks;
use wicker_provider::ProviderError;
use wicker_provider::lattice::store::record::Link;

use crate::config::Subscription;
use crate::{letter, send};

/// How long a handler may take where the link does not say.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest time after which JetStream gives a message to somebody else; else four times the handler's.
const ACK_WAIT_MIN: Duration = Duration::from_secs(30);

/// The pause before a message is tried again that reached no handler, doubled up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The pause after the stream of messages broke.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);

/// Who the messages are for.
pub(crate) struct Work {
    pub(crate) subscriber: Subscriber,
    pub(crate) link: Link,
    pub(crate) tasks: Tasks,
    pub(crate) timeout: Duration,
}

/// Makes the consumer, and the stream if need be, and delivers from then on until the link's tasks are asked to stop.
pub(crate) async fn open(
    jetstream: &jetstream::Context,
    (stream, name): (&str, &str),
    config: &Subscription,
    work: Work,
) -> Result<(), ProviderError> {
    let stream_config = stream::Config {
        name: stream.to_owned(),
        subjects: config.subjects.clone(),
        num_replicas: config.replicas,
        ..stream::Config::default()
    };
    let attempt = format!("cannot open the JetStream stream `{stream}`");
    let opened = match jetstream.get_stream(stream).await {
        Ok(opened) => opened,
        Err(_) => jetstream
            .get_or_create_stream(stream_config)
            .await
            .map_err(|error| ProviderError::backend(attempt, error))?,
    };
    let durable = config.durable.clone().unwrap_or_else(|| name.to_owned());
    let consumer_config = Config {
        durable_name: Some(durable.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT_MIN.max(work.timeout * 4),
        filter_subject: config.subjects.first().cloned().unwrap_or_default(),
        max_deliver: -1,
        ..Config::default()
    };
    let consumer = opened.create_consumer(consumer_config).await.map_err(|error| {
        ProviderError::backend(format!("cannot open the consumer `{durable}` of `{stream}`"), error)
    })?;
    let tasks = work.tasks.clone();
    let deliveries = Deliveries {
        consumer,
        shared: Arc::new(Shared {
            jetstream: jetstream.clone(),
            work,
            max_deliver: config.max_deliver,
            delay: Duration::from_millis(config.redelivery_delay_ms),
            dead_letter: config.dead_letter.clone(),
        }),
        concurrency: config.concurrency,
        turns: Arc::new(Semaphore::new(config.concurrency)),
    };
    tasks.spawn("durable subscription", deliveries.run());
    Ok(())
}

struct Deliveries {
    consumer: PullConsumer,
    shared: Arc<Shared>,
    concurrency: usize,
    turns: Arc<Semaphore>,
}

impl Deliveries {
    async fn run(self) -> Result<(), Infallible> {
        let tasks = &self.shared.work.tasks;
        while !tasks.is_stopping() {
            let messages = self.consumer.stream().max_messages_per_batch(self.concurrency);
            match messages.messages().await {
                Ok(messages) => self.deliver_all(messages).await,
                Err(error) => self.shared.log("cannot ask JetStream for messages", &error),
            }
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => {}
                () = tokio::time::sleep(BROKEN_PAUSE) => {}
            }
        }
        Ok(())
    }

    /// Delivers what comes, until it breaks or is to stop.
    async fn deliver_all(&self, mut messages: Pulled) {
        let tasks = &self.shared.work.tasks;
        loop {
            let next = async {
                let turn = Arc::clone(&self.turns).acquire_owned().await;
                (turn, messages.next().await)
            };
            let (turn, message) = tokio::select! {
                // Cancel-safe, both: a message that was not taken is given back.
                () = tasks.stopping() => break,
                next = next => next,
            };
            match (turn, message) {
                (Ok(turn), Some(Ok(message))) => {
                    let shared = Arc::clone(&self.shared);
                    tasks.spawn_work(async move {
                        shared.handle(message).await;
                        drop(turn);
                    });
                }
                (_, Some(Err(error))) => {
                    self.shared.log("JetStream's messages broke off", &error);
                    return;
                }
                (Err(_), _) | (_, None) => return,
            }
        }
        // What was fetched ahead is somebody else's to handle, at once.
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            let _ = message.ack_with(AckKind::Nak(None)).await;
        }
    }
}

struct Shared {
    jetstream: jetstream::Context,
    work: Work,
    /// 0: no limit.
    max_deliver: u32,
    delay: Duration,
    dead_letter: Option<String>,
}

impl Shared {
    /// Sees one message through: acknowledged, given back or set aside.
    async fn handle(&self, message: jetstream::Message) {
        let Ok(info) = message.info() else { return };
        let count = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        let id = format!("{}:{}", info.stream, info.stream_sequence);
        let is_over = self.max_deliver > 0 && count > self.max_deliver;
        let outcome = if is_over {
            Outcome::Failed("nobody said how its last delivery ended".to_owned())
        } else {
            let mut content = letter::received(message.message.clone());
            // What JetStream answers to, not a component.
            content.reply_to = None;
            self.deliver(&message, Delivery { message: content, count, id: Some(id.clone()) }).await
        };
        let done = match outcome {
            Outcome::Handled => message.double_ack().await,
            Outcome::NotCalled(_) => message.ack_with(AckKind::Nak(None)).await,
            Outcome::Failed(why) if is_over || count == self.max_deliver => {
                self.set_aside(&message, &id, &why).await
            }
            Outcome::Failed(why) => {
                tracing::debug!(id, count, "message was not handled and is delivered again: {why}");
                message.ack_with(AckKind::Nak(Some(self.delay))).await
            }
        };
        if let Err(error) = done {
            self.log(
                "JetStream has not heard how a delivery ended, and will repeat it",
                error.as_ref(),
            );
        }
    }

    /// Delivers until a handler was reached, or the link is to stop.
    async fn deliver(&self, message: &jetstream::Message, delivery: Delivery) -> Outcome {
        let Work { subscriber, tasks, .. } = &self.work;
        let mut pause = PAUSE_FIRST;
        loop {
            let outcome = subscriber.deliver(delivery.clone()).await;
            if !matches!(outcome, Outcome::NotCalled(_)) || tasks.is_stopping() {
                return outcome;
            }
            // If this is lost, the message is delivered to somebody else meanwhile: at least once holds.
            let _ = message.ack_with(AckKind::Progress).await;
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return outcome,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Sends the message to the dead letters, and only then forgets it.
    async fn set_aside(
        &self,
        message: &jetstream::Message,
        id: &str,
        why: &str,
    ) -> Result<(), async_nats::Error> {
        let Link { name, target, .. } = &self.work.link;
        tracing::warn!(link = name, %target, id, "message is set aside: {why}");
        if let Some(subject) = &self.dead_letter {
            let mut headers = message.headers.clone().unwrap_or_default();
            headers.insert("Wicker-Subject", message.subject.as_str());
            headers.insert("Wicker-Message", id);
            headers.insert("Wicker-Reason", why.replace(['\r', '\n'], " ").as_str());
            let letter = PublishMessage::build().headers(headers).payload(message.payload.clone());
            self.jetstream.send_publish(subject.clone(), letter).await?.await?;
        }
        message.ack_with(AckKind::Term).await
    }

    fn log(&self, attempt: &str, error: &dyn std::error::Error) {
        let Link { name, target, .. } = &self.work.link;
        tracing::warn!(link = name, %target, "{}", send::failure(attempt, error));
    }
}
