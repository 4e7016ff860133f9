//! This process's connections to NATS, and the plain messages on them: events, log lines, questions.
//!
//! Three connections, so that nothing waits behind what is larger or slower: *calls* and *bulk* belong to
//! [`crate::rpc`] and are driven by a thread each ([`Drive`]), apart from the threads that run guests (a busy guest delays no beat);
//! *control* carries state and the plain messages of this module, in the runtime that connected.
//!
//! A connection that breaks is made again for ever, with jitter; [`Nats::state`] says how it stands. What was published
//! meanwhile may be lost: whoever needs more than at-most-once keeps state in [`crate::store`].

mod config;
pub(crate) mod message;
mod peers;
mod streams;
mod thread;

pub use config::{ConnectError, Drive, Login, NatsConfig, Secret, Tls};
pub use message::{MessageError, PlainMessage, Subscription};
pub use peers::Keeper;
pub use streams::StreamError;

use std::fmt;
use std::iter::repeat;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::{Client, Event, Subject};
use bytes::Bytes;
use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::{info, warn};

use thread::IoThread;

/// Messages that may wait for their turn on a connection. Those of the bulk connection are 128 KiB each: enough to keep
/// it busy, and no more, so that streams share it fairly.
const CALLS_CAPACITY: usize = 4096;
const BULK_CAPACITY: usize = 64;
const CONTROL_CAPACITY: usize = 2048;

/// Whether all connections stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Messages flow.
    Connected,
    /// At least one connection is being made again; messages may be lost.
    Disconnected,
}

/// This process's connections to NATS. Clones share them; they close when the last clone is gone.
#[derive(Clone)]
pub struct Nats {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    control: Client,
    calls: Wire,
    bulk: Wire,
    state: watch::Receiver<ConnectionState>,
    _threads: Vec<IoThread>,
}

/// One connection with the runtime that drives it.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) client: Client,
    pub(crate) io: Handle,
}

/// A connection's queue is full, or the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Nats {
    /// Connects, or fails after [`NatsConfig::timeout`]; once connected, it stays so through every outage.
    ///
    /// # Errors
    /// Says which URL was tried, what went wrong there and what to do about it.
    pub async fn connect(config: NatsConfig) -> Result<Self, ConnectError> {
        let (state, states) = States::new();
        let threads = match config.drive {
            Drive::OwnThreads => {
                vec![IoThread::start("wicker-calls")?, IoThread::start("wicker-bulk")?]
            }
            Drive::Runtime => Vec::new(),
        };
        let current = Handle::current();
        let mut drivers = threads.iter().map(IoThread::handle).chain(repeat(&current));
        let mut wire = |purpose, capacity| {
            let io = drivers.next().unwrap_or(&current);
            Wire::connect(&config, purpose, capacity, (io, &state))
        };
        let calls = wire("calls", CALLS_CAPACITY).await?;
        let bulk = wire("bulk", BULK_CAPACITY).await?;
        let control = config.connect("control", CONTROL_CAPACITY, Arc::clone(&state)).await?;
        let url = config.urls.join(",");
        let inner = Inner { url, control, calls, bulk, state: states, _threads: threads };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether messages flow just now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.inner.state.borrow() == ConnectionState::Connected
    }

    /// The state of the connections, as it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.inner.state.clone()
    }

    /// Where the connections were asked to go: URLs joined by commas.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The version of the server at the other end, such as `2.9.10`.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.inner.control.server_info().version
    }

    /// What [`crate::store`] keeps state with.
    #[must_use]
    pub fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.inner.control.clone())
    }

    pub(crate) fn control(&self) -> &Client {
        &self.inner.control
    }

    pub(crate) fn calls(&self) -> &Wire {
        &self.inner.calls
    }

    pub(crate) fn bulk(&self) -> &Wire {
        &self.inner.bulk
    }
}

impl Wire {
    async fn connect(
        config: &NatsConfig,
        purpose: &'static str,
        capacity: usize,
        (io, state): (&Handle, &Arc<States>),
    ) -> Result<Self, ConnectError> {
        let (config, state) = (config.clone(), Arc::clone(state));
        let connecting = io.spawn(async move { config.connect(purpose, capacity, state).await });
        let client = connecting.await.map_err(|_| ConnectError::Stopped)??;
        Ok(Self { client, io: io.clone() })
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until the server has seen to all that was published: then nothing of it is lost if this process ends.
    pub(crate) async fn settle(&self) {
        if self.is_connected()
            && let Err(error) = message::settle(&self.client).await
        {
            info!(%error, "NATS does not say whether it has received everything");
        }
    }

    /// Publishes without waiting, whatever the caller's share of its thread.
    ///
    /// # Errors
    /// The connection's queue is full, or the connection is closed; nothing was sent.
    pub(crate) fn try_publish(&self, subject: Subject, payload: Bytes) -> Result<(), Refused> {
        try_publish(&self.client, subject, payload)
    }
}

/// See [`Wire::try_publish`].
#[expect(clippy::disallowed_methods, reason = "this is the module that others go through")]
fn try_publish(client: &Client, subject: Subject, payload: Bytes) -> Result<(), Refused> {
    match tokio::task::unconstrained(client.publish(subject, payload)).now_or_never() {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(Refused),
    }
}

/// Joins the states of the three connections into one.
struct States {
    down: AtomicU8,
    told: watch::Sender<ConnectionState>,
}

impl States {
    fn new() -> (Arc<Self>, watch::Receiver<ConnectionState>) {
        let (told, states) = watch::channel(ConnectionState::Connected);
        (Arc::new(Self { down: AtomicU8::new(0), told }), states)
    }

    /// Takes note of what happened to the connection that serves `purpose`.
    fn note(&self, purpose: &'static str, event: &Event) {
        let bit = match purpose {
            "calls" => 1,
            "bulk" => 2,
            _ => 4,
        };
        let down = match event {
            Event::Connected => self.down.fetch_and(!bit, Ordering::SeqCst) & !bit,
            Event::Disconnected | Event::Closed => self.down.fetch_or(bit, Ordering::SeqCst) | bit,
            Event::SlowConsumer(_) => {
                warn!(
                    connection = purpose,
                    "messages from NATS were dropped: not read fast enough"
                );
                return;
            }
            other => {
                info!(connection = purpose, event = %other, "NATS connection");
                return;
            }
        };
        let state =
            if down == 0 { ConnectionState::Connected } else { ConnectionState::Disconnected };
        self.told.send_if_modified(|told| std::mem::replace(told, state) != state);
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("url", &self.inner.url)
            .field("is_connected", &self.is_connected())
            .finish()
    }
}
