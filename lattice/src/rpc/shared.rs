//! What the parts of one [`super::Rpc`] share: its tables, its wires and its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::admitted::Admitted;
use super::callees::Callees;
use super::clock::Clock;
use super::config::RpcConfig;
use super::early::EarlyCancels;
use super::incoming::Incoming;
use super::intake::Intake;
use super::keys::{AttemptKey, StreamKey};
use super::outgoing::Outgoing;
use super::peer::{Peer, Peers};
use super::queries::Queries;
use super::running::Running;
use super::table::Table;
use super::waiting::Waiting;
use crate::call::Invoke;
use crate::frame::{Frame, REQUEST_HEADER_BYTES_MAX};
use crate::id::ProcessId;
use crate::nats::{Nats, Wire, message};
use crate::subject::Attempt;

/// How long a frame may wait for its turn on the connection, when the connection is behind.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

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
    /// Calls of [`Shared::running`] that nobody has begun.
    pub(super) intake: Intake<Admitted>,
    pub(super) early_cancels: EarlyCancels,
    pub(super) queries: Queries,
    /// Wakes the ticker when there is something to beat for again.
    pub(super) ticker: Notify,
    pub(super) is_ticker_parked: AtomicBool,
    pub(super) peers: Peers,
    pub(super) callees: Callees,
    pub(super) clock: Clock,
    attempts: AtomicU64,
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
            intake: Intake::new(),
            early_cancels: EarlyCancels::default(),
            queries: Queries::default(),
            ticker: Notify::new(),
            is_ticker_parked: AtomicBool::new(false),
            peers: Peers::new(&config.lattice, config.process),
            callees: Callees::default(),
            clock: Clock::start(),
            attempts: AtomicU64::new(fastrand::u64(..)),
            config,
        })
    }

    pub(super) fn next_attempt(&self) -> Attempt {
        Attempt(self.attempts.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn peer(&self, id: ProcessId) -> Arc<Peer> {
        self.peers.get(id)
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

    /// Tells whoever drains that something ended.
    pub(super) fn note_idle(&self) {
        if self.is_draining.load(Ordering::Acquire) {
            self.ended.notify_waiters();
        }
    }
}
