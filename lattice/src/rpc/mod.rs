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

mod admitted;
mod attempt;
mod beat;
mod begin;
mod begun;
mod callees;
mod client;
mod clock;
mod config;
mod demux;
mod departure;
mod drain;
mod early;
mod incoming;
mod intake;
mod keys;
mod leave;
mod outgoing;
mod patience;
mod peer;
mod queries;
mod query;
mod reader;
mod running;
mod serve;
mod server;
mod shared;
mod table;
mod waiting;
mod writer;

pub use clock::{ACCEPT_AFTER, BEAT_EVERY, SILENCE};
pub use config::RpcConfig;
pub use drain::DrainError;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::DropGuard;

use crate::call::{CallError, Invoke};
use crate::id::{ProcessId, is_name};
use crate::nats::{MessageError, Nats, message};
use crate::subject;
use shared::Shared;

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
        shared.start_beginners();
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
    /// Nobody there is [`Status::Unavailable`](crate::call::Status::Unavailable), told at once by NATS; a process that
    /// dies or hangs during a call is [`Status::Lost`](crate::call::Status::Lost) within 3 s.
    #[must_use]
    pub fn remote(&self, to: ProcessId) -> Arc<dyn Invoke> {
        let shared = Arc::clone(&self.shared);
        let peer = shared.peer(to);
        Arc::new(client::Remote { shared, peer })
    }

    /// How busy `process` last said it was: 0 idle (or never called), 255 full.
    #[must_use]
    pub fn load_of(&self, process: ProcessId) -> u8 {
        self.shared.peers.known(process).map_or(0, |peer| peer.load.load(Ordering::Relaxed))
    }

    /// Calls of this process that `process` has not answered yet.
    #[must_use]
    pub fn outstanding(&self, process: ProcessId) -> u32 {
        self.shared.peers.known(process).map_or(0, |peer| peer.outstanding.load(Ordering::Relaxed))
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
        self.shared.queries.on(verb, answer);
    }

    /// Takes no more calls (they are told [`Status::Draining`](crate::call::Status::Draining)), waits at most `grace` for
    /// those under way and the
    /// streams of their answers, then leaves the lattice. When this returns, the server has received all of it, so the
    /// process may end. Calls that this process makes go on until the last clone is
    /// dropped.
    ///
    /// # Errors
    /// Something had not ended after `grace`; it was cut off.
    pub async fn drain(&self, grace: Duration) -> Result<(), DrainError> {
        self.shared.drain(grace).await
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
