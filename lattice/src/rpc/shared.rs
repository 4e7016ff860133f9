//! What the parts of one [`super::Rpc`] share: its tables, its wires and its clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_nats::Subject;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::RpcConfig;
use super::client::Waiting;
use super::early::EarlyCancels;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::peer::Peer;
use super::query::QueryHandler;
use super::running::Running;
use super::table::{Map, Table, lock};
use crate::call::Invoke;
use crate::frame::{Frame, REQUEST_HEADER_BYTES_MAX, StreamNumber};
use crate::id::ProcessId;
use crate::nats::{Nats, Wire, message};
use crate::subject::{Attempt, Callee};

/// How long a frame may wait for its turn on the connection, when the connection is behind.
const SEND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// Peers after which those that nobody talks to are forgotten: every `wicker call` is a process of its own.
const PEERS_MAX: usize = 1024;

/// Callees whose subject is remembered; more are parsed each time they are called.
const CALLEES_MAX: usize = 4096;

/// One attempt at a call, as the callee knows it.
pub(super) type AttemptKey = (ProcessId, Attempt);

/// One stream between this process and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    /// The process at its other end.
    pub(super) peer: ProcessId,
    pub(super) attempt: Attempt,
    pub(super) number: StreamNumber,
}

pub(super) struct Shared {
    pub(super) config: RpcConfig,
    pub(super) nats: Nats,
    pub(super) serve: Arc<dyn Invoke>,
    /// Where calls are served: never the threads that read from NATS.
    pub(super) workers: Handle,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Cancelled once this process takes no more requests.
    pub(super) serving: CancellationToken,
    /// Cancelled once no request can come any more.
    pub(super) left: CancellationToken,
    /// Told, while draining, that a call or a stream ended.
    pub(super) ended: Notify,
    pub(super) is_draining: AtomicBool,
    /// What the process says of itself, beside the calls that it counts.
    pub(super) reported_load: AtomicU8,
    /// Bytes of parameters that are arriving in parts.
    pub(super) gathering: AtomicUsize,
    pub(super) waiting: Table<Attempt, Arc<Waiting>>,
    pub(super) running: Table<AttemptKey, Arc<Running>>,
    pub(super) incoming: Table<StreamKey, Arc<Incoming>>,
    pub(super) outgoing: Table<StreamKey, Arc<Outgoing>>,
    pub(super) early_cancels: EarlyCancels,
    pub(super) queries: Mutex<HashMap<String, QueryHandler>>,
    /// Wakes the ticker when there is something to beat for again.
    pub(super) ticker: Notify,
    pub(super) is_ticker_parked: AtomicBool,
    peers: Mutex<Map<ProcessId, Arc<Peer>>>,
    callees: Mutex<Map<String, Arc<Callee>>>,
    attempts: AtomicU64,
    started: Instant,
}

impl Shared {
    pub(super) fn new(config: RpcConfig, nats: &Nats, serve: Arc<dyn Invoke>) -> Arc<Self> {
        let stop = CancellationToken::new();
        Arc::new(Self {
            nats: nats.clone(),
            serve,
            workers: Handle::current(),
            tasks: TaskTracker::new(),
            serving: stop.child_token(),
            stop,
            left: CancellationToken::new(),
            ended: Notify::new(),
            is_draining: AtomicBool::new(false),
            reported_load: AtomicU8::new(0),
            gathering: AtomicUsize::new(0),
            waiting: Table::new(),
            running: Table::new(),
            incoming: Table::new(),
            outgoing: Table::new(),
            early_cancels: EarlyCancels::default(),
            queries: Mutex::new(HashMap::new()),
            ticker: Notify::new(),
            is_ticker_parked: AtomicBool::new(false),
            peers: Mutex::default(),
            callees: Mutex::default(),
            attempts: AtomicU64::new(fastrand::u64(..)),
            started: Instant::now(),
            config,
        })
    }

    /// Milliseconds since this started; its own clock, for silence and beats.
    pub(super) fn now_ms(&self) -> u64 {
        self.ms_at(Instant::now())
    }

    /// The same, of a clock that was read already.
    pub(super) fn ms_at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn next_attempt(&self) -> Attempt {
        Attempt(self.attempts.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn peer(&self, id: ProcessId) -> Arc<Peer> {
        let mut peers = lock(&self.peers);
        if let Some(peer) = peers.get(&id) {
            return Arc::clone(peer);
        }
        if peers.len() >= PEERS_MAX {
            peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        let peer = Arc::new(Peer::new(&self.config.lattice, self.config.process, id));
        peers.insert(id, Arc::clone(&peer));
        peer
    }

    /// The peer, if it was ever talked to.
    pub(super) fn known_peer(&self, id: ProcessId) -> Option<Arc<Peer>> {
        lock(&self.peers).get(&id).cloned()
    }

    /// Who is called by the last tokens of a subject. Reading them costs more than looking them up.
    pub(super) fn callee(&self, tokens: &str) -> Option<Arc<Callee>> {
        let mut callees = lock(&self.callees);
        if let Some(callee) = callees.get(tokens) {
            return Some(Arc::clone(callee));
        }
        let callee = Arc::new(Callee::from_tokens(tokens)?);
        if callees.len() < CALLEES_MAX {
            callees.insert(tokens.to_owned(), Arc::clone(&callee));
        }
        Some(callee)
    }

    /// How busy this process is: 0 idle, 255 full.
    pub(super) fn load(&self) -> u8 {
        let full = self.config.in_flight_max.max(1);
        let counted = u8::try_from(self.running.len() * 255 / full).unwrap_or(u8::MAX);
        counted.max(self.reported_load.load(Ordering::Relaxed))
    }

    /// Bytes of a value that fit into one message beside its header.
    pub(super) fn whole_bytes_max(&self) -> usize {
        self.nats.calls().client.max_payload().saturating_sub(REQUEST_HEADER_BYTES_MAX)
    }

    /// Tells the ticker that there is something to watch.
    pub(super) fn wake_ticker(&self) {
        if self.is_ticker_parked.load(Ordering::Acquire) {
            self.ticker.notify_one();
        }
    }

    /// Sends a small frame about `attempt` to `peer`, see [`Shared::send`].
    pub(super) fn tell(self: &Arc<Self>, peer: &Peer, attempt: Attempt, frame: &Frame) {
        self.send(self.nats.calls(), Subject::from(peer.reply_subject(attempt)), frame.encode());
    }

    /// [`Shared::tell`], to a process by its id.
    pub(super) fn tell_process(self: &Arc<Self>, (peer, attempt): AttemptKey, frame: &Frame) {
        self.tell(&self.peer(peer), attempt, frame);
    }

    /// Publishes without making the caller wait: where the connection is behind, in a task that waits for room. Where
    /// there is no connection, not at all; whoever listens notices by the silence.
    pub(super) fn send(self: &Arc<Self>, wire: &Wire, subject: Subject, payload: Bytes) {
        if wire.try_publish(subject.clone(), payload.clone()).is_ok() || !wire.is_connected() {
            return;
        }
        let client = wire.client.clone();
        let sending = async move {
            let published = message::publish(&client, subject, payload);
            if tokio::time::timeout(SEND_TIMEOUT, published).await != Ok(true) {
                debug!("frame not sent: no connection takes it");
            }
        };
        self.tasks.spawn_on(sending, &wire.io);
    }
}
