//! The way in: each subscription is a client of its own, so that the broker sends it no more than it handles at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use messaging::{Delivery, Drops, End, Message, Outcome, Retry, Subscriber, dead_letter};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use wicker_process::Tasks;
use wicker_provider::ProviderError;
use wicker_provider::lattice::escape;
use wicker_provider::lattice::id::CallId;
use wicker_provider::lattice::store::record::Link;

use crate::access::{Access, Broken, Pauses};
use crate::config::Subscription;
use crate::sender::Connection;
use crate::{letter, topic};

/// How long the broker may take to take a subscription in.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Packets that wait to be sent.
const QUEUE: usize = 256;

/// Messages of one subscription that wait for their turn. The broker has not more than `concurrency` of a durable one under
/// way; of others, later ones are dropped.
const WAITING_MAX: u32 = 4096;

/// The pause after another client has taken the session over: by then this one has mostly been asked to stop.
const TAKEN_OVER_PAUSE: Duration = Duration::from_secs(5);

/// How long the goodbye to the broker may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who the messages are for.
pub(crate) struct Work {
    pub(crate) access: Arc<Access>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) subscriber: Subscriber,
    pub(crate) link: Link,
    pub(crate) tasks: Tasks,
}

/// Subscribes, and delivers from then on until the link's tasks are asked to stop.
///
/// # Errors
/// The broker cannot be reached, or does not take the subscription.
pub(crate) async fn open(
    work: Work,
    name: String,
    config: Subscription,
) -> Result<(), ProviderError> {
    let tasks = work.tasks.clone();
    // Another session for other subjects: the broker keeps those of a session, too.
    let name = match config.durable {
        true => format!("{name}-{}", escape::print(&config.subjects.join(","))),
        false => name,
    };
    let subscribed = Arc::new(Subscribed {
        turns: Semaphore::new(usize::from(config.concurrency)),
        slots: Arc::new(Semaphore::new(WAITING_MAX as usize)),
        drops: Drops::default(),
        work,
        name,
        config,
    });
    let begin = timeout(SUBSCRIBE_TIMEOUT, subscribed.begin()).await;
    let begun = begin.map_err(|error| ProviderError::backend("cannot subscribe", error))??;
    tasks.spawn("subscription", subscribed.run(begun));
    Ok(())
}

struct Subscribed {
    work: Work,
    name: String,
    config: Subscription,
    /// To call the handler.
    turns: Semaphore,
    /// To be in this process's hands.
    slots: Arc<Semaphore>,
    drops: Drops,
}

/// A connection that is subscribed, and what came before the broker said so.
struct Session {
    client: AsyncClient,
    events: EventLoop,
    early: Vec<Publish>,
}

impl Subscribed {
    /// Connects, resumes the session if it is durable, and subscribes.
    async fn begin(&self) -> Result<Session, Broken> {
        let mut options = self.work.access.options(&self.name);
        if self.config.durable {
            options.set_clean_start(false);
            options.set_session_expiry_interval(Some(self.config.session_expiry_s));
            options.set_receive_maximum(Some(self.config.concurrency));
            options.set_manual_acks(true);
        } else {
            // Two of them, while one replaces the other, must not throw each other out.
            options.set_client_id(format!("{}-{}", self.name, CallId::generate()));
        }
        let (client, mut events) = AsyncClient::new(options, QUEUE);
        let qos = if self.config.durable { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let filters = self.config.subjects.iter();
        let filters = filters.map(|each| Filter::new(topic::from_subject(each), qos));
        let gone = |_| Broken::Away("it closed at once".to_owned());
        client.subscribe_many(filters).await.map_err(gone)?;
        let mut early = Vec::new();
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    let is_taken = |code: &SubscribeReasonCode| {
                        matches!(code, SubscribeReasonCode::Success(_))
                    };
                    return match ack.return_codes.iter().find(|code| !is_taken(code)) {
                        Some(code) => Err(Broken::Refused(format!("{code:?}"))),
                        None => Ok(Session { client, events, early }),
                    };
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => early.push(publish),
                Ok(_) => {}
                Err(error) => return Err(Broken::from(&error)),
            }
        }
    }

    async fn run(self: Arc<Self>, first: Session) -> Result<(), Infallible> {
        let tasks = self.work.tasks.clone();
        let (mut session, mut pauses) = (Some(first), Pauses::default());
        loop {
            let begun = match session.take() {
                Some(begun) => Ok(begun),
                None => self.begin().await,
            };
            let broken = match begun {
                Ok(begun) => {
                    pauses = Pauses::default();
                    match self.deliver_all(begun).await {
                        Some(broken) => broken,
                        None => return Ok(()),
                    }
                }
                Err(broken) => broken,
            };
            let Link { name, target, .. } = &self.work.link;
            tracing::warn!(link = name, %target, "{broken}; it is tried again");
            let pause = match broken {
                Broken::TakenOver => TAKEN_OVER_PAUSE,
                Broken::Refused(_) | Broken::Away(_) => pauses.next(),
            };
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }

    /// Takes what comes until the connection breaks; `None`: it is to stop, and what was under way is over.
    async fn deliver_all(self: &Arc<Self>, session: Session) -> Option<Broken> {
        let Session { client, mut events, early } = session;
        early.into_iter().for_each(|publish| self.take(&client, publish));
        tokio::select! {
            // Neither is begun again after this.
            broken = self.pump(&client, &mut events) => return Some(broken),
            () = self.over() => {}
        }
        // What is not acknowledged by now is the broker's to send again.
        let _ = client.try_disconnect();
        let goodbye = async { while events.poll().await.is_ok() {} };
        let _ = timeout(GOODBYE, goodbye).await;
        None
    }

    async fn pump(self: &Arc<Self>, client: &AsyncClient, events: &mut EventLoop) -> Broken {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(client, publish),
                Ok(_) => {}
                Err(error) => return Broken::from(&error),
            }
        }
    }

    /// Resolves when it is to stop and nothing is in its hands any more.
    async fn over(&self) {
        self.work.tasks.stopping().await;
        let _ = self.slots.acquire_many(WAITING_MAX).await;
    }

    /// Lets the handler have a message in a task of its own. One that is not taken is not acknowledged either.
    fn take(self: &Arc<Self>, client: &AsyncClient, publish: Publish) {
        if self.work.tasks.is_stopping() {
            return;
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            return self.drops.count(&self.work.link, "too many wait for their turn");
        };
        let (this, client) = (Arc::clone(self), client.clone());
        self.work.tasks.spawn_work(async move {
            let Ok(_turn) = this.turns.acquire().await else { return };
            if this.config.durable {
                this.see_through(&client, &publish).await;
            } else {
                this.deliver_once(&publish).await;
            }
            drop(slot);
        });
    }

    async fn deliver_once(&self, publish: &Publish) {
        let (message, _) = letter::received(publish);
        let delivery = Delivery { message, count: 1, id: None };
        if let Outcome::Failed(why) | Outcome::NotCalled(why) =
            self.work.subscriber.deliver(delivery).await
        {
            self.drops.count(&self.work.link, &why);
        }
    }

    async fn see_through(&self, client: &AsyncClient, publish: &Publish) {
        let Work { subscriber, tasks, .. } = &self.work;
        let (message, id) = letter::received(publish);
        // One that comes again was given to a handler before, as far as anybody knows.
        let count = 1 + u32::from(publish.dup);
        let delivery = Delivery { message: message.clone(), count, id: id.clone() };
        let retry = Retry {
            max_deliver: self.config.max_deliver,
            delay: Duration::from_millis(self.config.redelivery_delay_ms),
        };
        let is_over = match retry.deliver(subscriber, tasks, delivery).await {
            End::Handled => true,
            End::SetAside(why) => self.set_aside(message, id.as_deref(), &why).await,
            End::Stopped(_) => false,
        };
        if is_over {
            // Where the connection broke meanwhile the broker delivers it once more.
            let _ = client.ack(publish).await;
        }
    }

    /// Sends a message to the dead letters; whether it is there, or nobody wants it there.
    async fn set_aside(&self, message: Message, id: Option<&str>, why: &str) -> bool {
        let Some(subject) = &self.config.dead_letter else {
            self.drops.count(&self.work.link, why);
            return true;
        };
        let Link { name, target, .. } = &self.work.link;
        tracing::warn!(link = name, %target, "message is set aside: {why}");
        let sent = self.work.connection.send(dead_letter(message, subject, id, why)).await;
        sent.inspect_err(|failure| {
            tracing::warn!(link = name, %target, "its dead letter was not sent: {failure}");
        })
        .is_ok()
    }
}
