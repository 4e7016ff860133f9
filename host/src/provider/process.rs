//! Providers in processes of their own: launched, shaken hands with, and ended by closing their input.
//!
//! A launched process is in a group of its own, so that Ctrl-C in the terminal is the host's affair and nothing it
//! started outlives it. It gets one JSON line on its standard input and then that input stays open: when it closes,
//! because the host drains it or because the host died, the process drains and ends.

use std::ffi::OsString;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::{Instant, timeout};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::Provider;
use wicker_lattice::types::World;
use wicker_provider::process::{Launch, Registration};

use crate::config::VARIABLES;
use crate::data_dir::DataDir;
use crate::logs::Logs;
use crate::member::Member;
use crate::provider::registrations::Registrations;
use crate::state::{Death, Failure};

/// How long a launched provider may take until it answers calls.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one may take to end after its input was closed; then its whole group is killed.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// Launches providers.
#[derive(Debug, Clone)]
pub struct Launcher {
    member: Member,
    data: Arc<DataDir>,
    logs: Arc<Logs>,
    registrations: Registrations,
}

/// A launched provider.
#[derive(Clone)]
pub struct Process(Arc<Launched>);

struct Launched {
    id: ProcessId,
    begun: Instant,
    /// Dropped to end the process.
    stdin: Mutex<Option<ChildStdin>>,
    group: Option<Pid>,
    /// Set once it has registered.
    world: OnceLock<World>,
    /// `Some` once the process has ended.
    ended: watch::Receiver<Option<String>>,
}

impl Launcher {
    /// A launcher for this host.
    #[must_use]
    pub fn new(
        member: Member,
        data: Arc<DataDir>,
        logs: Arc<Logs>,
        registrations: Registrations,
    ) -> Self {
        Self { member, data, logs, registrations }
    }

    /// Launches `wicker provider NAME`.
    ///
    /// # Errors
    /// As [`Launcher::launch`].
    pub async fn launch_builtin(
        &self,
        name: &str,
        provider: &Provider,
    ) -> Result<Process, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::lasting(&error))?;
        self.run(program.into(), vec!["provider".into(), name.into()], provider).await
    }

    /// Launches `command`, and returns when it answers calls.
    ///
    /// # Errors
    /// It cannot be started, ends at once, or does not register in time.
    pub async fn launch(
        &self,
        command: &[String],
        provider: &Provider,
    ) -> Result<Process, Failure> {
        let Some((program, arguments)) = command.split_first() else {
            let reason = format!("{} has an empty command", provider.id);
            return Err(Failure { reason, is_final: true });
        };
        self.run(program.into(), arguments.iter().map(OsString::from).collect(), provider).await
    }

    async fn run(
        &self,
        program: OsString,
        arguments: Vec<OsString>,
        provider: &Provider,
    ) -> Result<Process, Failure> {
        let id = self
            .data
            .provider_process(&provider.id)
            .map_err(|error| Failure::lasting(error.as_ref()))?;
        let expected = self.registrations.expect(&provider.id, id);
        let (token, registered) = expected.map_err(|error| Failure::passing(&error))?;
        let line = self.first_line(id, provider, token)?;
        let mut command = Command::new(&program);
        for variable in VARIABLES {
            // It is told everything by its first line; what the host was told by hand must not count as its flags.
            command.env_remove(variable);
        }
        let mut child = command
            .args(&arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::passing(&error))?;
        self.forward(&provider.id, "stdout", child.stdout.take());
        self.forward(&provider.id, "stderr", child.stderr.take());
        let mut stdin = child.stdin.take();
        if let Some(stdin) = stdin.as_mut() {
            stdin.write_all(&line).await.map_err(|error| Failure::passing(&error))?;
        }
        let process = self.supervise(id, child, stdin);
        let world = shake_hands(&process, &provider.id, registered).await?;
        let _ = process.0.world.set(world);
        Ok(process)
    }

    /// What the process is told, as one line of JSON.
    fn first_line(
        &self,
        id: ProcessId,
        provider: &Provider,
        token: String,
    ) -> Result<Vec<u8>, Failure> {
        let data_dir = self.data.provider_dir(&provider.id);
        let launch = Launch {
            lattice: self.member.lattice.clone(),
            nats: self.member.nats.url().to_owned(),
            credentials: None,
            process: id,
            id: provider.id.clone(),
            config: provider.config.clone(),
            data_dir: data_dir.map_err(|error| Failure::lasting(error.as_ref()))?,
            host: Some(self.member.process),
            token: Some(token),
            generation: provider.generation,
            log: "info,async_nats=error,wicker_lattice::nats=warn".to_owned(),
            log_json: false,
        };
        let mut line = serde_json::to_vec(&launch).map_err(|error| Failure::lasting(&error))?;
        line.push(b'\n');
        Ok(line)
    }

    /// Waits for the process in a task of the host's, so that its end is noticed whoever holds it.
    fn supervise(&self, id: ProcessId, mut child: Child, stdin: Option<ChildStdin>) -> Process {
        let (tell, ended) = watch::channel(None);
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        self.member.tasks.spawn_work(async move {
            let status = child.wait().await;
            tell.send_replace(Some(describe(status)));
        });
        let (begun, stdin, world) = (Instant::now(), Mutex::new(stdin), OnceLock::new());
        Process(Arc::new(Launched { id, begun, stdin, group, world, ended }))
    }

    /// What the process writes goes where components' output goes.
    fn forward(
        &self,
        object: &ObjectId,
        stream: &'static str,
        output: Option<impl AsyncRead + Unpin + Send + 'static>,
    ) {
        let (Some(output), logs, object) = (output, Arc::clone(&self.logs), object.clone()) else {
            return;
        };
        self.member.tasks.spawn_work(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::info!(%object, "{line}");
                logs.write(&object, stream, &line);
            }
        });
    }
}

/// Waits until the process comes back with its token; returns what it serves.
async fn shake_hands(
    process: &Process,
    object: &ObjectId,
    registered: oneshot::Receiver<Registration>,
) -> Result<World, Failure> {
    let failed = |reason| Failure { reason, is_final: false };
    let outcome = tokio::select! {
        // Cancel-safe, both.
        outcome = timeout(READY_TIMEOUT, registered) => outcome,
        death = process.ended() => {
            return Err(failed(death.map_or_else(|| format!("{object} ended at once"), |death| death.reason)));
        }
    };
    match outcome {
        Ok(Ok(registration)) => Ok(registration.world),
        Ok(Err(_)) => Err(failed(format!("{object} was launched anew meanwhile"))),
        Err(_) => Err(failed(format!("{object} did not register within {READY_TIMEOUT:?}"))),
    }
}

impl Process {
    /// Where calls to it go.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.0.id
    }

    /// What it serves; `None` until it has registered.
    #[must_use]
    pub fn world(&self) -> Option<&World> {
        self.0.world.get()
    }

    /// Waits until it ends; `None` if it cannot be told why.
    pub async fn ended(&self) -> Option<Death> {
        let mut ended = self.0.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok()?.clone()?;
        Some(Death { reason, ran_for: self.0.begun.elapsed() })
    }

    /// Tells it to drain, waits for its end, and kills its group if that does not come.
    pub async fn end(&self) {
        let stdin = self.0.stdin.lock().await.take();
        drop(stdin);
        if timeout(END_TIMEOUT, self.ended()).await.is_err()
            && let Some(group) = self.0.group
        {
            tracing::warn!(process = %self.0.id, "provider did not end in time and is killed");
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.0.id).finish_non_exhaustive()
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => format!("its process cannot be waited for: {error}"),
    }
}
