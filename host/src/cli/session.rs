//! A verb's connection to a running lattice.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wicker_lattice::event::{Event, EventKind};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::nats::{Drive, Login, Nats, NatsConfig, Tls};
use wicker_lattice::store::Store;
use wicker_lattice::subject;
use wicker_lattice::token::team::Credential;
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
    /// Who acts, where a token says so.
    pub credential: Option<Arc<Credential>>,
}

/// A team's token, or the file that holds it, as it was given.
#[derive(Clone)]
pub struct TokenText(String);

impl TokenText {
    /// The token.
    ///
    /// # Errors
    /// It is neither a token nor a file that holds one.
    pub fn read(&self) -> anyhow::Result<Credential> {
        if let Ok(credential) = self.0.parse() {
            return Ok(credential);
        }
        let Ok(text) = std::fs::read_to_string(&self.0) else {
            bail!("--token is neither a token nor a file: `wicker token issue` prints one");
        };
        text.parse().with_context(|| format!("the file {} holds no token", self.0))
    }
}

impl FromStr for TokenText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText")
    }
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
        let credential = global.token.as_ref().map(TokenText::read).transpose()?;
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
        let session = Self::new(&global.lattice, nats, store, ProcessId::generate(), global.output);
        Ok(session.acting_as(credential))
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
        Self { lattice: lattice.to_owned(), nats, store, process, output, credential: None }
    }

    /// The same, with a token.
    #[must_use]
    pub fn acting_as(self, credential: Option<Credential>) -> Self {
        Self { credential: credential.map(Arc::new), ..self }
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
