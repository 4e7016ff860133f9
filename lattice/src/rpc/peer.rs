//! What this process knows of another one: its subjects, how busy it says it is, how many calls it owes us.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU32};
use std::sync::{Arc, Mutex};

use async_nats::Subject;

use super::table::{Map, lock};
use crate::id::ProcessId;
use crate::subject::{self, Attempt, Callee};

/// Functions whose subject is remembered; more are written each time they are called.
const SUBJECTS_MAX: usize = 1024;

/// Peers after which those that nobody talks to are forgotten: every `wicker call` is a process of its own.
const PEERS_MAX: usize = 1024;

/// Attempts that are kept to be used again: more calls at once to one peer are rare.
const INBOXES_MAX: usize = 1024;

/// The processes that this one talks to.
pub(super) struct Peers {
    lattice: String,
    own: ProcessId,
    peers: Mutex<Map<ProcessId, Arc<Peer>>>,
}

pub(super) struct Peer {
    pub(super) id: ProcessId,
    /// 0 idle, 255 full; as its last reply or beat said.
    pub(super) load: AtomicU8,
    /// Calls of this process that it has not answered.
    pub(super) outstanding: AtomicU32,
    /// `wicker.<lattice>.c.<it>.<self>.`
    requests: String,
    /// `wicker.<lattice>.r.<it>.<self>.`: what we publish on.
    replies: String,
    /// `wicker.<lattice>.r.<self>.<it>.`: what it publishes on.
    inbox: String,
    /// Subjects of requests, by whom they call.
    subjects: Mutex<Map<Callee, Subject>>,
    /// What attempts that ended cleanly leave to later ones, the last one first: servers route a subject faster that
    /// they have just routed.
    inboxes: Mutex<Vec<Inbox>>,
}

/// An attempt's number, and where it is answered.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) number: Attempt,
    pub(super) subject: Subject,
}

impl Peers {
    pub(super) fn new(lattice: &str, own: ProcessId) -> Self {
        Self { lattice: lattice.to_owned(), own, peers: Mutex::default() }
    }

    pub(super) fn get(&self, id: ProcessId) -> Arc<Peer> {
        let mut peers = lock(&self.peers);
        if let Some(peer) = peers.get(&id) {
            return Arc::clone(peer);
        }
        if peers.len() >= PEERS_MAX {
            peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        let peer = Arc::new(Peer::new(&self.lattice, self.own, id));
        peers.insert(id, Arc::clone(&peer));
        peer
    }

    /// The peer, if it was ever talked to.
    pub(super) fn known(&self, id: ProcessId) -> Option<Arc<Peer>> {
        lock(&self.peers).get(&id).cloned()
    }
}

impl Peer {
    fn new(lattice: &str, own: ProcessId, id: ProcessId) -> Self {
        let without_attempt = |subject: String| {
            let end = subject.len() - 1;
            subject.get(..end).unwrap_or_default().to_owned()
        };
        let zero = Attempt(0);
        Self {
            id,
            load: AtomicU8::new(0),
            outstanding: AtomicU32::new(0),
            requests: subject::requests_to(lattice, id, own),
            replies: without_attempt(subject::reply(lattice, id, own, zero)),
            inbox: without_attempt(subject::reply(lattice, own, id, zero)),
            subjects: Mutex::default(),
            inboxes: Mutex::default(),
        }
    }

    /// Where calls to `callee` are published.
    pub(super) fn request_subject(&self, callee: &Callee) -> Subject {
        let mut subjects = lock(&self.subjects);
        if let Some(subject) = subjects.get(callee) {
            return subject.clone();
        }
        let subject = Subject::from(format!("{}{}", self.requests, callee.to_tokens()));
        if subjects.len() < SUBJECTS_MAX {
            subjects.insert(callee.clone(), subject.clone());
        }
        subject
    }

    /// Where this peer hears about `attempt`.
    pub(super) fn reply_subject(&self, attempt: Attempt) -> String {
        with_attempt(&self.replies, attempt)
    }

    /// Where this peer's chunks for `attempt` are published to it.
    pub(super) fn chunk_subject(&self, attempt: Attempt) -> String {
        subject::to_chunk(self.reply_subject(attempt))
    }

    /// An inbox that nothing is on its way to: one that was used before, else a new one of the number that `next` says.
    pub(super) fn inbox(&self, next: impl FnOnce() -> Attempt) -> Inbox {
        let used = lock(&self.inboxes).pop();
        used.unwrap_or_else(|| {
            let number = next();
            Inbox { number, subject: Subject::from(with_attempt(&self.inbox, number)) }
        })
    }

    /// Takes back an inbox that nothing more will come to, and whose number this peer has forgotten.
    pub(super) fn take_back(&self, inbox: Inbox) {
        let mut inboxes = lock(&self.inboxes);
        if inboxes.len() < INBOXES_MAX {
            inboxes.push(inbox);
        }
    }

    /// The attempt of a request's reply subject, if that is where this peer may be answered.
    pub(super) fn parse_reply_subject(&self, subject: &str) -> Option<Attempt> {
        let attempt = subject.strip_prefix(&self.replies)?;
        u64::from_str_radix(attempt, 16).ok().map(Attempt)
    }
}

fn with_attempt(prefix: &str, attempt: Attempt) -> String {
    // Exactly as long as it will be: then the message takes it over as it is.
    let digits = 16 - attempt.0.leading_zeros() / 4;
    let mut subject = String::with_capacity(prefix.len() + usize::try_from(digits).unwrap_or(16));
    subject.push_str(prefix);
    let _ = write!(subject, "{attempt}");
    subject
}
