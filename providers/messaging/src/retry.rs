//! Deliveries for backends that have a message only once: it is in this process's hands until it was handled or is set aside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use wicker_process::Tasks;
use wicker_provider::lattice::store::record::Link;

use crate::broker::Message;
use crate::subscriber::{Delivery, Outcome, Subscriber};

/// The pause before a message is tried again that reached no handler, doubled up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How often a message is delivered.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Deliveries that may fail; 0: any number.
    pub max_deliver: u32,
    /// The pause after one that failed.
    pub delay: Duration,
}

/// How a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Its handler said ok.
    Handled,
    /// It failed too often: why it did the last time.
    SetAside(String),
    /// The link is gone, or the provider drains: it was delivered less than so often, and is not handled.
    Stopped(u32),
}

impl Retry {
    /// Delivers until the handler says ok, it has failed too often, or `tasks` are to stop. A delivery that reached no handler
    /// does not count.
    pub async fn deliver(self, to: &Subscriber, tasks: &Tasks, mut delivery: Delivery) -> End {
        let mut pause = PAUSE_FIRST;
        loop {
            let wait = match to.deliver(delivery.clone()).await {
                Outcome::Handled => return End::Handled,
                Outcome::Failed(why) if delivery.count == self.max_deliver => {
                    return End::SetAside(why);
                }
                Outcome::Failed(why) => {
                    tracing::debug!(count = delivery.count, "message is delivered again: {why}");
                    delivery.count = delivery.count.saturating_add(1);
                    self.delay
                }
                Outcome::NotCalled(_) => {
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    wait
                }
            };
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return End::Stopped(delivery.count),
                () = sleep(wait) => {}
            }
        }
    }
}

/// A message as it goes to the dead letters.
#[must_use]
pub fn dead_letter(message: Message, to: &str, id: Option<&str>, why: &str) -> Message {
    let Message { subject, body, reply_to: _, mut headers } = message;
    headers.push(("Wicker-Subject".to_owned(), subject));
    headers.extend(id.map(|id| ("Wicker-Message".to_owned(), id.to_owned())));
    headers.push(("Wicker-Reason".to_owned(), why.replace(['\r', '\n'], " ")));
    Message { subject: to.to_owned(), body, reply_to: None, headers }
}

/// Messages of one subscription that nobody handled and nobody will.
#[derive(Debug, Default)]
pub struct Drops(AtomicU64);

impl Drops {
    /// Counts one. Says it the first time, and whenever there are twice as many.
    pub fn count(&self, link: &Link, why: &str) {
        let dropped = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            let (name, target) = (&link.name, &link.target);
            tracing::warn!(link = name, %target, dropped, "message was not handled and is dropped: {why}");
        }
    }
}
