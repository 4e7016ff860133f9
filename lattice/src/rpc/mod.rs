//! Lattice RPC v1 over NATS: calls between processes.
//!
//! ```text
//! caller                                   callee
//!   |-- request (c.<to>...) ---------------> |      a call that is answered at once: two messages
//!   | <------------------- reply (r.<to>...) |
//!
//!   |-- request ---------------------------> |      a call that takes longer
//!   | <------------- accept, after 50 ms ---- |
//!   | <------------- beat, each second ------ |      silence for 3 s: lost
//!   |-- cancel ----------------------------> |      when the caller gives up
//! ```
//!
//! A process holds one wildcard subscription for requests and one for everything else, however much it serves, and one
//! more on its bulk connection. Values too large for one message, and streams, follow their frame in chunks of 128 KiB
//! there. The reader grants credit in bytes, counted from the stream's start, and says it again each second; the writer
//! sends a pulse each second with the number of its next chunk. So each end knows that the other lives, a lost credit
//! is healed, a lost chunk is noticed (also the last), and silence for 3 s ends the stream.
//!
//! The first 64 KiB of streams, as far as they are there without waiting, travel with the value that refers to them.
//! Windows grow while they are used, and share a bound, so that many streams cannot exhaust memory.
//! A caller grants 256 KiB of each stream of the reply in its request; a callee grants credit when the request is in.
//! Chunks of the reply's streams may therefore overtake the reply, and wait for it.
//!
//! A process that drains answers *draining* until the server delivers nothing more to it, so no request vanishes.
//!
//! Refuses to: choose a process, retry, or route: that is the host's router, above this. Everything that a router
//! needs to know is in the [`crate::call::Status`] of the error and in [`Rpc::load_of`] and [`Rpc::outstanding`].

mod beat;
mod client;
mod demux;
mod departure;
mod early;
mod incoming;
mod leave;
mod outgoing;
mod patience;
mod peer;
mod query;
mod running;
mod server;
mod shared;
mod table;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::DropGuard;

use crate::call::{CallError, Invoke, Status};
use crate::id::{ProcessId, is_name};
use crate::nats::{MessageError, Nats, message};
use crate::subject;
use shared::Shared;

/// A callee that has not answered by then says that it is at it.
pub const ACCEPT_AFTER: Duration = Duration::from_millis(50);

/// How often the two ends of whatever is under way show that they live.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Three missed beats: whoever is silent for so long is taken for lost.
pub const SILENCE: Duration = Duration::from_secs(3);

/// What a process that calls and is called must know.
#[derive(Debug, Clone)]
pub struct RpcConfig {
    /// The lattice.
    pub lattice: String,
    /// This process. Two that run under one id take each other's calls.
    pub process: ProcessId,
    /// Calls from other processes served at once; more are answered `overloaded`. Default 4096.
    pub in_flight_max: usize,
    /// Bytes of parameters, too large for one message, that may be arriving at once; calls that would exceed it are
    /// answered `overloaded`. Default 256 MiB.
    pub gathering_bytes_max: usize,
}

/// This process's part in lattice RPC. Clones share it; it stops when the last is gone.
#[derive(Clone)]
pub struct Rpc {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

/// What is under way in one process, for `inspect` and for tests: all zero when nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UnderWay {
    /// Calls to other processes that wait for their answer.
    pub calling: usize,
    /// Calls of other processes that are served.
    pub serving: usize,
    /// Streams that are read here.
    pub reading: usize,
    /// Streams that are written here.
    pub writing: usize,
}

/// RPC did not start.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The lattice's name is none.
    #[error("`{0}` cannot name a lattice: names are 1 to 63 of a-z, 0-9 and inner hyphens")]
    Name(String),
    /// NATS does not take the subscriptions.
    #[error("cannot listen for calls")]
    Listen(#[from] MessageError),
}

/// Calls were still being served when the grace period ended; they were cut off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{calls} calls and {streams} streams were cut off after {grace:?}")]
pub struct DrainError {
    /// Calls without an answer.
    pub calls: usize,
    /// Streams of answers that had not ended.
    pub streams: usize,
    /// How long they were given.
    pub grace: Duration,
}

impl RpcConfig {
    /// The defaults, for this process in this lattice.
    pub fn new(lattice: impl Into<String>, process: ProcessId) -> Self {
        Self {
            lattice: lattice.into(),
            process,
            in_flight_max: 4096,
            gathering_bytes_max: 256 << 20,
        }
    }
}

impl Rpc {
    /// Subscribes, and serves calls with `serve` in the current runtime. When this returns, calls reach this process.
    ///
    /// # Errors
    /// The lattice's name is none, or NATS does not take the subscriptions.
    pub async fn start(
        config: RpcConfig,
        nats: &Nats,
        serve: Arc<dyn Invoke>,
    ) -> Result<Self, RpcError> {
        if !is_name(&config.lattice) {
            return Err(RpcError::Name(config.lattice));
        }
        let (lattice, process) = (config.lattice.clone(), config.process);
        let (calls, bulk) = (nats.calls(), nats.bulk());
        let shared = Shared::new(config, nats, serve);
        let chunks = message::subscribe(&bulk.client, &subject::chunks(&lattice, process)).await?;
        let replies =
            message::subscribe(&calls.client, &subject::replies(&lattice, process)).await?;
        let requests =
            message::subscribe(&calls.client, &subject::requests(&lattice, process)).await?;
        let queries =
            message::subscribe(nats.control(), &subject::query(&lattice, process, "*")).await?;
        let tasks = &shared.tasks;
        tasks.spawn_on(Arc::clone(&shared).read_frames(chunks), &bulk.io);
        tasks.spawn_on(Arc::clone(&shared).read_frames(replies), &calls.io);
        tasks.spawn_on(Arc::clone(&shared).read_requests(requests), &calls.io);
        tasks.spawn_on(Arc::clone(&shared).beat(), &calls.io);
        tasks.spawn_on(Arc::clone(&shared).read_queries(queries), &shared.workers);
        tasks.spawn_on(Arc::clone(&shared).fail_when_stopped(), &calls.io);
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Ok(Self { shared, _stop: stop })
    }

    /// Whoever answers in process `to`: one attempt a call, no choice and no retry.
    ///
    /// Nobody there is [`Status::Unavailable`], told at once by NATS; a process that dies or hangs during a call is
    /// [`Status::Lost`] within 3 s.
    #[must_use]
    pub fn remote(&self, to: ProcessId) -> Arc<dyn Invoke> {
        let shared = Arc::clone(&self.shared);
        let peer = shared.peer(to);
        Arc::new(client::Remote { shared, peer })
    }

    /// How busy `process` last said it was: 0 idle (or never called), 255 full.
    #[must_use]
    pub fn load_of(&self, process: ProcessId) -> u8 {
        self.shared.known_peer(process).map_or(0, |peer| peer.load.load(Ordering::Relaxed))
    }

    /// Calls of this process that `process` has not answered yet.
    #[must_use]
    pub fn outstanding(&self, process: ProcessId) -> u32 {
        self.shared.known_peer(process).map_or(0, |peer| peer.outstanding.load(Ordering::Relaxed))
    }

    /// Calls of other processes being served here.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.running.len()
    }

    /// What is under way, both ways.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        let shared = &self.shared;
        UnderWay {
            calling: shared.waiting.len(),
            serving: shared.running.len(),
            reading: shared.incoming.len(),
            writing: shared.outgoing.len(),
        }
    }

    /// Says how busy this process is, 255 meaning full, where it knows better than by the calls that RPC counts. The
    /// greater of the two travels with each reply.
    pub fn report_load(&self, load: u8) {
        self.shared.reported_load.store(load, Ordering::Relaxed);
    }

    /// Answers the question `verb` to this process from now on, in place of whoever did.
    pub fn on_query<Q, A, F>(&self, verb: &str, answer: impl Fn(Q) -> F + Send + Sync + 'static)
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Result<A, CallError>> + Send + 'static,
    {
        let bad = |error: serde_json::Error| {
            CallError::new(Status::BadFrame, format!("cannot read the question: {error}"))
        };
        let handler = move |question: serde_json::Value| -> query::Answering {
            let answering = serde_json::from_value(question).map(&answer).map_err(bad);
            Box::pin(async move { serde_json::to_value(answering?.await?).map_err(bad) })
        };
        table::lock(&self.shared.queries).insert(verb.to_owned(), Arc::new(handler));
    }

    /// Takes no more calls (they are told [`Status::Draining`]), waits at most `grace` for those under way and the
    /// streams of their answers, then leaves the lattice. When this returns, the server has received all of it, so the
    /// process may end. Calls that this process makes go on until the last clone is
    /// dropped.
    ///
    /// # Errors
    /// Something had not ended after `grace`; it was cut off.
    pub async fn drain(&self, grace: Duration) -> Result<(), DrainError> {
        self.shared.is_draining.store(true, Ordering::SeqCst);
        let drained = tokio::time::timeout(grace, self.shared.until_idle()).await;
        self.shared.serving.cancel();
        let (calls, streams) = (self.shared.running.len(), self.shared.answering());
        for (_, running) in self.shared.running.to_vec() {
            running.cancel();
        }
        self.shared.left.cancelled().await;
        tokio::join!(self.shared.nats.calls().settle(), self.shared.nats.bulk().settle());
        drained.map_err(|_| DrainError { calls, streams, grace })
    }
}

impl Shared {
    /// Streams of answers that are being written.
    fn answering(&self) -> usize {
        let outgoing = self.outgoing.to_vec();
        outgoing.iter().filter(|(key, _)| key.number.is_written_by_callee()).count()
    }

    /// Resolves once nothing is served and no stream is written.
    async fn until_idle(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.running.len() == 0 && self.answering() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// When this stops, nothing may go on waiting for it.
    async fn fail_when_stopped(self: Arc<Self>) {
        self.stop.cancelled().await;
        for (_, waiting) in self.waiting.to_vec() {
            waiting.answer(client::Answer::Stopping);
        }
        for (_, running) in self.running.to_vec() {
            running.cancel();
        }
        for (_, incoming) in self.incoming.to_vec() {
            incoming.lose("this process is stopping");
        }
        for (_, outgoing) in self.outgoing.to_vec() {
            outgoing.end(outgoing::Ending::Stopped);
        }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("process", &self.shared.config.process)
            .field("under_way", &self.under_way())
            .finish_non_exhaustive()
    }
}
