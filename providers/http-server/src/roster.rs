//! Every open connection: who is too slow, and how all of them are drained.
//!
//! One timer for all connections. A connection only keeps [counters](crate::activity); this compares them with what
//! it saw before.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::activity::{Activity, Order};
use crate::config::Limits;

/// How long a connection waits for its next request before it is asked to rest. That costs the next request some
/// microseconds, so it is long beside them.
const REST_AFTER: Duration = Duration::from_millis(500);

/// The open connections of one listener.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    open: Mutex<Open>,
    /// Rung when the last connection has closed.
    closed: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Watched>,
    /// Given to connections that open later, too.
    order: Option<Order>,
}

/// One connection, and what was last seen of it.
#[derive(Debug)]
struct Watched {
    activity: Arc<Activity>,
    phase: Phase,
    progress: u64,
    since: Instant,
    /// It was asked to rest since.
    was_asked: bool,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The client, to finish a request's head (or a TLS handshake).
    Head,
    /// The client, to send another request.
    Idle,
    /// The client, to send more of a body.
    Upload,
    /// The client, to take what was written.
    Download,
    /// The target. Its deadlines are its own.
    Target,
}

/// Keeps a connection on the roster until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    roster: Arc<Roster>,
    key: u64,
    pub(crate) activity: Arc<Activity>,
}

impl Roster {
    /// Puts a new connection on the roster.
    pub(crate) fn open(self: &Arc<Self>, now: Instant) -> Entry {
        let activity = Arc::new(Activity::default());
        let mut open = self.lock();
        if let Some(order) = open.order {
            activity.give(order);
        }
        let key = open.next;
        open.next += 1;
        let watched = Watched {
            activity: Arc::clone(&activity),
            phase: Phase::Head,
            progress: 0,
            since: now,
            was_asked: false,
        };
        open.connections.insert(key, watched);
        drop(open);
        Entry { roster: Arc::clone(self), key, activity }
    }

    /// Tells every connection, and those to come, what to do.
    pub(crate) fn order(&self, order: Order) {
        let mut open = self.lock();
        open.order = Some(order);
        let now = Instant::now();
        for watched in open.connections.values_mut() {
            watched.give(order, now);
        }
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Waits until none is open. Cancel-safe.
    pub(crate) async fn empty(&self) {
        loop {
            let closed = self.closed.notified();
            if self.len() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Closes those that are too slow.
    pub(crate) fn check(&self, limits: &Limits, now: Instant) {
        for watched in self.lock().connections.values_mut() {
            if let Some(order) = watched.check(limits, now) {
                watched.give(order, now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.roster.lock();
        open.connections.remove(&self.key);
        let is_last = open.connections.is_empty();
        drop(open);
        if is_last {
            self.roster.closed.notify_waiters();
        }
    }
}

impl Watched {
    fn give(&mut self, order: Order, now: Instant) {
        self.since = now;
        self.activity.give(order);
    }

    fn check(&mut self, limits: &Limits, now: Instant) -> Option<Order> {
        let (phase, progress) = phase(&self.activity);
        if (phase, progress) != (self.phase, self.progress) {
            (self.phase, self.progress, self.since) = (phase, progress, now);
            self.was_asked = false;
            return None;
        }
        let waited = now.duration_since(self.since);
        // The other protocol's connections rest on their own: their buffers are small.
        let can_rest = phase == Phase::Idle && !self.activity.is_http2.load(Relaxed);
        if can_rest && !self.was_asked && waited >= REST_AFTER {
            self.was_asked = true;
            self.activity.ask_to_rest();
        }
        let (limit, order) = match phase {
            Phase::Head => (limits.header_timeout, Order::Cut),
            // It was asked to close, and waits for a client that does not.
            Phase::Idle if self.activity.order() >= Order::Close => {
                (limits.stall_timeout, Order::Cut)
            }
            Phase::Idle => (limits.idle_timeout, Order::Close),
            Phase::Upload | Phase::Download => (limits.stall_timeout, Order::Cut),
            Phase::Target => return None,
        };
        (waited >= limit).then_some(order)
    }
}

/// What the connection waits for, and a number that changes when it gets some of it.
fn phase(activity: &Activity) -> (Phase, u64) {
    let requests = activity.requests.load(Relaxed);
    let read = activity.read.load(Relaxed);
    // The last bytes of an answer may still wait when its request no longer counts.
    if activity.is_write_blocked.load(Relaxed) {
        (Phase::Download, activity.written.load(Relaxed))
    } else if activity.in_flight.load(Relaxed) > 0 {
        if activity.bodies_wanted.load(Relaxed) > 0 {
            (Phase::Upload, read)
        } else {
            (Phase::Target, 0)
        }
    } else if requests == 0 {
        (Phase::Head, 0)
    } else if !activity.is_http2.load(Relaxed) && read > activity.read_at_end.load(Relaxed) {
        // Not the bytes: a head that comes one byte a second is what this is against.
        (Phase::Head, requests)
    } else {
        (Phase::Idle, requests)
    }
}

/// How often connections are looked at.
pub(crate) fn interval(limits: &Limits) -> Duration {
    let shortest = limits.header_timeout.min(limits.idle_timeout).min(limits.stall_timeout);
    (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::InFlight;

    struct Case {
        roster: Arc<Roster>,
        entry: Entry,
        limits: Limits,
        now: Instant,
    }

    fn case() -> Case {
        let roster = Arc::new(Roster::default());
        let now = Instant::now();
        let entry = roster.open(now);
        Case { roster, entry, limits: Limits::default(), now }
    }

    impl Case {
        /// Lets `seconds` pass as the roster sees them, one look a second.
        fn after(&mut self, seconds: u64) -> Order {
            for _ in 0..=seconds {
                self.now += Duration::from_secs(1);
                self.roster.check(&self.limits, self.now);
            }
            self.entry.activity.order()
        }
    }

    #[tokio::test]
    async fn head_that_trickles_in_is_cut() {
        let mut case = case();
        for _ in 0..5 {
            assert_eq!(case.after(0), Order::Serve);
            case.entry.activity.read.fetch_add(1, Relaxed);
        }
        assert_eq!(case.after(9), Order::Cut);
    }

    #[tokio::test]
    async fn idle_connection_is_closed_after_its_own_longer_timeout() {
        let mut case = case();
        drop(InFlight::start(&case.entry.activity));
        assert_eq!(case.after(60), Order::Serve);
        assert_eq!(case.after(20), Order::Close);
        assert_eq!(case.after(31), Order::Cut, "a client that keeps it open is not waited for");
    }

    #[tokio::test]
    async fn idle_connection_is_asked_to_rest_once_and_one_with_something_under_way_does_not() {
        let mut case = case();
        let activity = Arc::clone(&case.entry.activity);
        drop(InFlight::start(&activity));
        case.after(1);
        assert!(activity.takes_rest());
        case.after(5);
        assert!(!activity.takes_rest(), "it rests already");
        drop(InFlight::start(&activity));
        case.after(1);
        activity.read.fetch_add(1, Relaxed);
        assert!(!activity.takes_rest(), "a head is on its way");
        drop(InFlight::start(&activity));
        case.after(1);
        let _request = InFlight::start(&activity);
        assert!(!activity.takes_rest(), "a request is in flight");
    }

    #[tokio::test]
    async fn slow_target_is_none_of_the_clients_fault() {
        let mut case = case();
        let _request = InFlight::start(&case.entry.activity);
        assert_eq!(case.after(3600), Order::Serve);
    }

    #[tokio::test]
    async fn client_that_takes_no_bytes_is_cut_and_one_that_takes_few_is_not() {
        let mut case = case();
        let _request = InFlight::start(&case.entry.activity);
        case.entry.activity.is_write_blocked.store(true, Relaxed);
        for _ in 0..5 {
            assert_eq!(case.after(20), Order::Serve);
            case.entry.activity.written.fetch_add(1, Relaxed);
        }
        assert_eq!(case.after(31), Order::Cut);
    }

    #[tokio::test]
    async fn upload_that_stalls_is_cut() {
        let mut case = case();
        let _request = InFlight::start(&case.entry.activity);
        case.entry.activity.bodies_wanted.store(1, Relaxed);
        assert_eq!(case.after(20), Order::Serve);
        assert_eq!(case.after(20), Order::Cut);
    }

    #[tokio::test]
    async fn roster_is_empty_when_the_last_connection_is_dropped() {
        let Case { roster, entry, .. } = case();
        let other = roster.open(Instant::now());
        drop(entry);
        assert_eq!(roster.len(), 1);
        let (_, ()) = tokio::join!(roster.empty(), async { drop(other) });
    }
}
