//! Delivers what waits for one subscription.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use messaging::{Delivery, Drops, End, Retry, Subscriber, dead_letter};
use tokio::sync::Semaphore;
use wicker_process::Tasks;
use wicker_provider::lattice::store::record::Link;

use crate::config::Subscription;
use crate::topics::{Queue, Topics};

/// Subscribes, and delivers from then on until the link's tasks are asked to stop.
pub(crate) fn open(
    topics: Arc<Topics>,
    config: Subscription,
    (subscriber, link, tasks): (Subscriber, Link, Tasks),
) {
    let (revision, queue) = topics.open(&link, &config);
    let turns = Arc::new(Semaphore::new(config.concurrency));
    let retry = Retry {
        max_deliver: config.max_deliver,
        delay: Duration::from_millis(config.redelivery_delay_ms),
    };
    let dead_letter = config.dead_letter;
    let (drops, tasks_of_link) = (Drops::default(), tasks.clone());
    let work = Work { topics, queue, subscriber, link, tasks, retry, dead_letter, drops };
    tasks_of_link.spawn("subscription", Arc::new(work).run(revision, turns));
}

struct Work {
    topics: Arc<Topics>,
    queue: Arc<Queue>,
    subscriber: Subscriber,
    link: Link,
    tasks: Tasks,
    retry: Retry,
    dead_letter: Option<String>,
    drops: Drops,
}

impl Work {
    async fn run(self: Arc<Self>, revision: u64, turns: Arc<Semaphore>) -> Result<(), Infallible> {
        loop {
            let next = async {
                let turn = Arc::clone(&turns).acquire_owned().await;
                loop {
                    let added = self.queue.added.notified();
                    if let Some(delivery) = self.queue.take() {
                        return (turn, delivery);
                    }
                    added.await;
                }
            };
            let (turn, delivery) = tokio::select! {
                // Cancel-safe, both: what is taken is returned without a wait.
                () = self.tasks.stopping() => break,
                next = next => next,
            };
            let work = Arc::clone(&self);
            self.tasks.spawn_work(async move {
                work.see_through(delivery).await;
                drop(turn);
            });
        }
        // Another revision's worker may sleep on the word that this one has had.
        self.queue.added.notify_one();
        let lost = self.topics.close(&self.link, revision);
        if lost > 0 {
            let Link { name, target, .. } = &self.link;
            tracing::warn!(link = name, %target, lost, "messages waited for a link that is gone");
        }
        Ok(())
    }

    async fn see_through(&self, delivery: Delivery) {
        match self.retry.deliver(&self.subscriber, &self.tasks, delivery.clone()).await {
            End::Handled => {}
            End::SetAside(why) => self.set_aside(delivery, &why),
            End::Stopped(count) => self.queue.put_back(Delivery { count, ..delivery }),
        }
    }

    fn set_aside(&self, delivery: Delivery, why: &str) {
        let Delivery { message, id, .. } = delivery;
        let Some(subject) = &self.dead_letter else { return self.drops.count(&self.link, why) };
        let Link { name, target, .. } = &self.link;
        tracing::warn!(link = name, %target, "message is set aside: {why}");
        if let Err(failure) = self.topics.publish(dead_letter(message, subject, id.as_deref(), why))
        {
            self.drops.count(&self.link, &format!("{why}; its dead letter: {failure}"));
        }
    }
}
