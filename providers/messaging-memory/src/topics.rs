//! The subscriptions, by link, and what waits for each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use messaging::subject::{INBOX, covers, is_inbox};
use messaging::{Delivery, Failure, Message};
use tokio::sync::{Notify, oneshot};
use wicker_provider::lattice::id::CallId;
use wicker_provider::lattice::store::record::{Link, Scope};

use crate::config::Subscription;

/// What a subscription is known by, over its revisions.
pub(crate) type Name = (Scope, String);

/// Everything that is subscribed to.
#[derive(Debug)]
pub(crate) struct Topics {
    message_bytes_max: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    subscriptions: HashMap<Name, Subscribed>,
    inboxes: HashMap<String, oneshot::Sender<Message>>,
    revisions: u64,
}

/// The newest revision of a subscription.
#[derive(Debug)]
struct Subscribed {
    revision: u64,
    subjects: Vec<String>,
    queue: Arc<Queue>,
}

/// What waits, the same over all revisions of a subscription.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    pub(crate) added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    max: usize,
    is_numbered: bool,
}

/// Whether anybody got a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    ToSomebody,
    ToNobody,
}

impl Topics {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, known: Mutex::default() }
    }

    pub(crate) fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    /// Puts a message into every queue that is to have it, or into none.
    pub(crate) fn publish(&self, message: Message) -> Result<Published, Failure> {
        let mut known = self.lock();
        if is_inbox(&message.subject) {
            let waiting = known.inboxes.remove(&message.subject);
            let is_heard = waiting.is_some_and(|waiting| waiting.send(message).is_ok());
            return Ok(if is_heard { Published::ToSomebody } else { Published::ToNobody });
        }
        let matches = |each: &&Subscribed| {
            each.subjects.iter().any(|pattern| covers(pattern, &message.subject))
        };
        let matching: Vec<&Subscribed> = known.subscriptions.values().filter(matches).collect();
        // Nobody else adds to a queue while this lock is held.
        if matching.iter().any(|each| each.queue.is_full()) {
            let subject = &message.subject;
            let why = format!("a subscription to `{subject}` is full; nobody got the message");
            return Err(Failure::Other(why));
        }
        let id = CallId::generate().to_string();
        for each in &matching {
            each.queue.add(&message, &id);
        }
        Ok(if matching.is_empty() { Published::ToNobody } else { Published::ToSomebody })
    }

    /// A subject for one answer, and what resolves with it.
    pub(crate) fn inbox(&self) -> (String, oneshot::Receiver<Message>) {
        let (waiting, answer) = oneshot::channel();
        let inbox = format!("{INBOX}.{}", CallId::generate());
        self.lock().inboxes.insert(inbox.clone(), waiting);
        (inbox, answer)
    }

    pub(crate) fn close_inbox(&self, inbox: &str) {
        self.lock().inboxes.remove(inbox);
    }

    /// Opens a revision of a subscription. What waits for the one before waits for this one.
    pub(crate) fn open(&self, link: &Link, config: &Subscription) -> (u64, Arc<Queue>) {
        let mut known = self.lock();
        known.revisions += 1;
        let revision = known.revisions;
        let name = (link.scope.clone(), link.name.clone());
        let queue = match known.subscriptions.get(&name) {
            Some(before) => Arc::clone(&before.queue),
            None => Arc::default(),
        };
        queue.configure(config);
        let subjects = config.subjects.clone();
        let subscribed = Subscribed { revision, subjects, queue: Arc::clone(&queue) };
        known.subscriptions.insert(name, subscribed);
        (revision, queue)
    }

    /// Closes a revision, unless there is a later one. How many messages are lost by that.
    pub(crate) fn close(&self, link: &Link, revision: u64) -> usize {
        let mut known = self.lock();
        let name = (link.scope.clone(), link.name.clone());
        match known.subscriptions.get(&name) {
            Some(last) if last.revision == revision => {
                let lost = last.queue.len();
                known.subscriptions.remove(&name);
                lost
            }
            _ => 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn configure(&self, config: &Subscription) {
        let mut waiting = self.lock();
        waiting.max = config.queue_max;
        waiting.is_numbered = config.max_deliver != 1;
    }

    fn is_full(&self) -> bool {
        let waiting = self.lock();
        waiting.deliveries.len() >= waiting.max
    }

    fn add(&self, message: &Message, id: &str) {
        let mut waiting = self.lock();
        let id = waiting.is_numbered.then(|| id.to_owned());
        waiting.deliveries.push_back(Delivery { message: message.clone(), count: 1, id });
        drop(waiting);
        self.added.notify_one();
    }

    /// The next one, if there is one.
    pub(crate) fn take(&self) -> Option<Delivery> {
        self.lock().deliveries.pop_front()
    }

    /// Gives back what was taken and not handled.
    pub(crate) fn put_back(&self, delivery: Delivery) {
        self.lock().deliveries.push_front(delivery);
        self.added.notify_one();
    }

    fn len(&self) -> usize {
        self.lock().deliveries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
