//! Core subscriptions: each message is delivered at most once.
//!
//! So many messages are handled at once; the next ones wait in the connection's bounded queue. What the handler refuses,
//! or nobody could handle, is dropped and counted.

use std::convert::Infallible;
use std::sync::Arc;

use async_nats::Subscriber as Subscribed;
use futures::StreamExt as _;
use futures::stream::select_all;
use messaging::{Delivery, Drops, Outcome, Subscriber};
use tokio::sync::Semaphore;
use wicker_process::Tasks;
use wicker_provider::ProviderError;
use wicker_provider::lattice::store::record::Link;

use crate::config::Subscription;
use crate::letter;

/// Subscribes, and delivers from then on until the link's tasks are asked to stop.
pub(crate) async fn open(
    client: &async_nats::Client,
    name: String,
    config: &Subscription,
    (subscriber, link, tasks): (Subscriber, Link, Tasks),
) -> Result<(), ProviderError> {
    let queue = config.queue.clone().unwrap_or(name);
    let mut subscribed = Vec::new();
    for subject in &config.subjects {
        let failed =
            |error| ProviderError::backend(format!("cannot subscribe to `{subject}`"), error);
        subscribed
            .push(client.queue_subscribe(subject.clone(), queue.clone()).await.map_err(failed)?);
    }
    // The link is open when the server knows of it.
    let failed = |error| ProviderError::backend("cannot subscribe", error);
    client.flush().await.map_err(failed)?;
    let deliveries = Deliveries {
        subscriber,
        link: Arc::new(link),
        turns: Arc::new(Semaphore::new(config.concurrency)),
        dropped: Arc::default(),
        tasks: tasks.clone(),
    };
    tasks.spawn("subscription", deliveries.run(subscribed));
    Ok(())
}

struct Deliveries {
    subscriber: Subscriber,
    link: Arc<Link>,
    turns: Arc<Semaphore>,
    dropped: Arc<Drops>,
    tasks: Tasks,
}

impl Deliveries {
    async fn run(self, mut subscribed: Vec<Subscribed>) -> Result<(), Infallible> {
        let mut messages = select_all(&mut subscribed);
        loop {
            let message = tokio::select! {
                // Cancel-safe, both: what was not taken is taken below.
                () = self.tasks.stopping() => break,
                message = messages.next() => message,
            };
            let Some(message) = message else { return Ok(()) };
            self.deliver(message).await;
        }
        drop(messages);
        // What the server has sent already is delivered; then the streams end.
        for each in &mut subscribed {
            let _ = each.drain().await;
        }
        let mut messages = select_all(subscribed);
        while let Some(message) = messages.next().await {
            self.deliver(message).await;
        }
        Ok(())
    }

    /// Waits for a turn, and lets the handler have the message in a task of its own.
    async fn deliver(&self, message: async_nats::Message) {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return };
        let (subscriber, link) = (self.subscriber.clone(), Arc::clone(&self.link));
        let dropped = Arc::clone(&self.dropped);
        self.tasks.spawn_work(async move {
            let _turn = turn;
            let delivery = Delivery { message: letter::received(message), count: 1, id: None };
            if let Outcome::Failed(why) | Outcome::NotCalled(why) =
                subscriber.deliver(delivery).await
            {
                dropped.count(&link, &why);
            }
        });
    }
}
