//! A verb's connection to a running lattice.

use std::time::Duration;

use anyhow::Context as _;
use wicker_lattice::event::{Event, EventKind};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::nats::{Drive, Login, Nats, NatsConfig, Tls};
use wicker_lattice::store::Store;
use wicker_lattice::subject;
use wicker_process::Clock;

use crate::cli::{Global, Output};
use crate::nats_server;

/// A server that does not answer within this is not there, as far as a verb goes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What every verb works with.
#[derive(Debug, Clone)]
pub struct Session {
    /// The lattice's name.
    pub lattice: String,
    /// The connection.
    pub nats: Nats,
    /// The lattice's state.
    pub store: Store,
    /// Who we are, to those we talk to: new for every run.
    pub process: ProcessId,
    /// How to print.
    pub output: Output,
}

impl Session {
    /// Connects to the lattice that the flags, the environment, or a host on this machine name.
    ///
    /// # Errors
    /// There is no NATS server, it lets us not in, or the lattice is of another version.
    pub async fn open(global: &Global) -> anyhow::Result<Self> {
        anyhow::ensure!(
            wicker_lattice::id::is_name(&global.lattice),
            "--lattice {}: a lattice's name is 1 to 63 of a-z, 0-9 and inner hyphens",
            global.lattice
        );
        let url = nats_server::url_for_verb(global.nats.as_deref(), global.data.as_deref()).await?;
        let nats = Nats::connect(NatsConfig {
            urls: vec![url],
            name: "wicker".to_owned(),
            login: Login::Anonymous,
            tls: Tls::default(),
            timeout: CONNECT_TIMEOUT,
            // One call at a time, and no guest to keep it waiting.
            drive: Drive::Runtime,
        })
        .await?;
        let store = Store::open(&nats.jetstream(), &global.lattice, 1).await?;
        Ok(Self::new(&global.lattice, nats, store, ProcessId::generate(), global.output))
    }

    /// A session over connections that are there already: a host's own.
    #[must_use]
    pub fn new(
        lattice: &str,
        nats: Nats,
        store: Store,
        process: ProcessId,
        output: Output,
    ) -> Self {
        Self { lattice: lattice.to_owned(), nats, store, process, output }
    }

    /// Whether results are printed for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Tells whoever listens what has been done.
    ///
    /// # Errors
    /// The connection takes no messages.
    pub async fn tell(
        &self,
        kind: EventKind,
        object: Option<&ObjectId>,
        message: String,
    ) -> anyhow::Result<()> {
        let token = object.map_or_else(|| "_".to_owned(), ObjectId::to_token);
        let subject = subject::event(&self.lattice, &kind.to_string(), &token);
        let at = Clock::system().rfc3339();
        let event = Event { at, kind, object: object.cloned(), process: self.process, message };
        self.nats.publish_json(&subject, &event).await.context("cannot tell of it")
    }
}
