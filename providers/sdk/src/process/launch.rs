//! What a provider is told when it starts: one line of JSON on standard input from the host that launches it, or flags
//! from whoever starts it by hand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::secret::Held;
use wicker_lattice::store::record::Sharing;
use wicker_process::telemetry::Format;
use zeroize::Zeroizing;

use super::told::{SecretValues, Told};
use crate::builtin::Builtin;

/// Bytes of the line at most.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Everything that a provider's process needs to know. The host writes it as one line, without line breaks inside.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Launch {
    /// The lattice to join.
    pub lattice: String,
    /// Servers of its NATS system, joined by commas.
    pub nats: String,
    /// The file of NATS credentials, where the servers ask for them.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
    /// Which process this is: stable over restarts.
    pub process: ProcessId,
    /// Which provider this is.
    pub id: ObjectId,
    /// Its config. `null` for none.
    #[serde(default)]
    pub config: serde_json::Value,
    /// The secrets that its config and its links name; further lines tell of changes ([`Told`]).
    #[serde(default)]
    pub secrets: SecretValues,
    /// A directory of its own.
    pub data_dir: PathBuf,
    /// The host that launches it, with which it registers.
    #[serde(default)]
    pub host: Option<ProcessId>,
    /// What it registers with ([`wicker_lattice::token`]).
    #[serde(default)]
    pub token: Option<String>,
    /// Of the spec that it runs.
    #[serde(default)]
    pub generation: u64,
    /// The fencing token of a singleton: it runs only while its host lends it the right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// What goes into its log, in `tracing`'s syntax.
    #[serde(default = "default_log")]
    pub log: String,
    /// Whether its log is JSON.
    #[serde(default)]
    pub log_json: bool,
}

fn default_log() -> String {
    "info".to_owned()
}

impl Launch {
    /// How the log looks.
    #[must_use]
    pub fn log_format(&self) -> Format {
        if self.log_json { Format::Json } else { Format::Text }
    }
}

impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Config, token and URL may hold secrets.
        f.debug_struct("Launch")
            .field("lattice", &self.lattice)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A provider was not told what it needs to know.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Flags are wrong, or ask for help.
    #[error("{0}")]
    Usage(Usage),
    /// Standard input could not be read.
    #[error("cannot read standard input")]
    Input(#[source] std::io::Error),
    /// The line on standard input is none that we understand.
    #[error(
        "cannot read the launch line on standard input (to start a provider by hand, see --help)"
    )]
    Line(#[source] serde_json::Error),
    /// The directory cannot be used.
    #[error("cannot use {} to keep data in; pass another --data", path.display())]
    Data {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A value of `--config` has no name.
    #[error("cannot read `--config {0}`: expected KEY=VALUE")]
    Config(String),
}

/// What there is to say about the flags.
#[derive(Debug)]
pub struct Usage(Box<clap::Error>);

impl Usage {
    /// Prints it where it belongs and says how to exit.
    #[must_use]
    pub fn show(self) -> ExitCode {
        // Nobody is left to tell if this fails.
        let _ = self.0.print();
        if self.0.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A Wicker provider as a process of its own.
///
/// Without flags it reads one line of JSON from standard input, as the host that launches it writes it, and ends when
/// standard input closes. With flags it runs until it is stopped by a signal.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Flags {
    /// The lattice to join.
    #[arg(long, env = "WICKER_LATTICE", default_value = "default")]
    lattice: String,
    /// Servers of the lattice's NATS system, joined by commas.
    #[arg(long, env = "WICKER_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats: String,
    /// File of NATS credentials.
    #[arg(long, env = "WICKER_NATS_CREDENTIALS")]
    credentials: Option<PathBuf>,
    /// Who this provider is: `team/application/name`, or a name alone. By default the implementation's name.
    #[arg(long)]
    id: Option<String>,
    /// Which process this is, the same after a restart. By default a new one each time; an exclusive provider keeps its
    /// first one with its data.
    #[arg(long)]
    process: Option<ProcessId>,
    /// One setting; give it as often as there are settings. A value in JSON is taken as such.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// A directory for what it keeps.
    #[arg(long, env = "WICKER_DATA")]
    data: Option<PathBuf>,
    /// What is logged: `info`, `debug`, `wicker_provider=debug,warn`.
    #[arg(long, env = "WICKER_LOG", default_value = "info")]
    log: String,
    /// Log as JSON.
    #[arg(long)]
    log_json: bool,
}

/// Whoever started this process.
#[derive(Debug)]
pub struct Started {
    /// What it was told.
    pub launch: Launch,
    /// Resolves when standard input closes, if that is how it is to end.
    pub closed: Option<oneshot::Receiver<()>>,
    /// The values of its secrets, as it is told them.
    pub secrets: Arc<Held>,
}

/// Reads flags if there are any, else the line.
///
/// # Errors
/// See [`LaunchError`].
pub async fn read(builtin: &Builtin, arguments: Vec<OsString>) -> Result<Started, LaunchError> {
    if arguments.is_empty() {
        let secrets = Arc::new(Held::default());
        let (line, closed) = read_lines(Arc::clone(&secrets));
        let line = line.await.unwrap_or_else(|_| Ok(Vec::new())).map_err(LaunchError::Input)?;
        let launch: Launch = serde_json::from_slice(&line).map_err(LaunchError::Line)?;
        launch.secrets.tell(&secrets);
        return Ok(Started { launch, closed: Some(closed), secrets });
    }
    let arguments = std::iter::once(OsString::from(builtin.name())).chain(arguments);
    let flags = Flags::try_parse_from(arguments);
    let flags = flags.map_err(|error| LaunchError::Usage(Usage(Box::new(error))))?;
    let (closed, secrets) = (None, Arc::default());
    Ok(Started { launch: from_flags(builtin, flags)?, closed, secrets })
}

/// Reads the line, then what is told of secrets until the end. On a thread of its own, not the runtime's: a runtime would
/// wait for it.
fn read_lines(
    secrets: Arc<Held>,
) -> (oneshot::Receiver<std::io::Result<Vec<u8>>>, oneshot::Receiver<()>) {
    let (told, line) = oneshot::channel();
    let (close, closed) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        let read = stdin.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        // Whoever waited has given up, if either of these fails.
        let _ = told.send(read.map(|_| line));
        while let Some(line) = next_line(&mut stdin) {
            match serde_json::from_slice::<Told>(&line) {
                Ok(told) => told.secrets.tell(&secrets),
                // Never with the line: it may hold what it was meant to say.
                Err(_) => tracing::warn!("what the host says is not understood, and ignored"),
            }
        }
        let _ = close.send(());
    });
    (line, closed)
}

/// The next line, or `None` at the end.
fn next_line(from: &mut impl std::io::BufRead) -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::new());
    let read = from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).ok()?;
    (read > 0).then_some(line)
}

fn from_flags(builtin: &Builtin, flags: Flags) -> Result<Launch, LaunchError> {
    let implementation = builtin.name();
    let text = flags.id.unwrap_or_else(|| implementation.to_owned());
    let id = text.parse().or_else(|_| ObjectId::bare(&text)).map_err(|error| {
        let usage = clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n"));
        LaunchError::Usage(Usage(Box::new(usage)))
    })?;
    let data_dir = flags.data.unwrap_or_else(|| PathBuf::from(".wicker").join(implementation));
    let process = match (flags.process, builtin.sharing()) {
        (Some(process), _) => process,
        (None, Sharing::Replicable) => ProcessId::generate(),
        (None, Sharing::Exclusive) => kept_id(&data_dir)
            .map_err(|source| LaunchError::Data { path: data_dir.clone(), source })?,
    };
    Ok(Launch {
        lattice: flags.lattice,
        nats: flags.nats,
        credentials: flags.credentials,
        process,
        id,
        config: config(&flags.config)?,
        secrets: SecretValues::default(),
        data_dir,
        host: None,
        token: None,
        generation: 0,
        fence: None,
        log: flags.log,
        log_json: flags.log_json,
    })
}

/// The process id that is kept in `data_dir`, made at the first start: who owns the data is known by it.
fn kept_id(data_dir: &Path) -> std::io::Result<ProcessId> {
    let file = data_dir.join("process-id");
    match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map_err(std::io::Error::other),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(data_dir)?;
            let id = ProcessId::generate();
            std::fs::write(&file, id.to_string())?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

/// `KEY=VALUE`s as an object; what reads as JSON is JSON, the rest is text.
fn config(settings: &[String]) -> Result<serde_json::Value, LaunchError> {
    let mut fields = BTreeMap::new();
    for setting in settings {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| LaunchError::Config(setting.clone()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        fields.insert(key, value);
    }
    Ok(fields
        .into_iter()
        .map(|(key, value): (&str, serde_json::Value)| (key.to_owned(), value))
        .collect())
}

#[cfg(test)]
mod tests;
