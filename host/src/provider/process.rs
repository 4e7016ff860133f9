//! Providers in processes of their own: launched, shaken hands with, and ended by closing their input.
//!
//! A launched process is in a group of its own, so that Ctrl-C in the terminal is the host's affair and nothing it
//! started outlives it. It gets one JSON line on its standard input and then that input stays open: when it closes,
//! because the host drains it or because the host died, the process drains and ends.

use std::ffi::OsString;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use wicker_lattice::fence::Right as _;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::secret::SecretSource;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Link, Provider};
use wicker_lattice::types::World;
use wicker_provider::process::{Launch, Registration, SecretValues, Told};
use zeroize::Zeroizing;

use crate::config::VARIABLES;
use crate::data_dir::DataDir;
use crate::fence::Guard;
use crate::logs::Logs;
use crate::member::Member;
use crate::provider::registrations::Registrations;
use crate::state::{Death, Failure};

/// How long a launched provider may take until it answers calls.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one may take to end after its input was closed; then its whole group is killed.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the lattice's links may take to be read before one is launched without their secrets.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a process may take to read what it is told.
const TELL_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines that may wait for a process to read them.
const LINES_MAX: usize = 16;

/// What is written at once; it may hold secrets.
type Line = Zeroizing<Vec<u8>>;

/// Launches providers.
#[derive(Debug, Clone)]
pub struct Launcher {
    member: Member,
    data: Arc<DataDir>,
    logs: Arc<Logs>,
    registrations: Registrations,
    secrets: Arc<dyn SecretSource>,
}

/// A launched provider.
#[derive(Clone)]
pub struct Process(Arc<Launched>);

struct Launched {
    id: ProcessId,
    object: ObjectId,
    /// Its config, which may name secrets; and the secrets that it was told last.
    config: serde_json::Value,
    told: Mutex<SecretValues>,
    begun: Instant,
    /// Lines for its standard input. Dropped to end the process.
    stdin: Mutex<Option<mpsc::Sender<Line>>>,
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
        member: &Member,
        data: &Arc<DataDir>,
        logs: &Arc<Logs>,
        (registrations, secrets): (Registrations, &Arc<dyn SecretSource>),
    ) -> Self {
        let (member, data, logs) = (member.clone(), Arc::clone(data), Arc::clone(logs));
        Self { member, data, logs, registrations, secrets: Arc::clone(secrets) }
    }

    /// Launches `wicker provider NAME`.
    ///
    /// # Errors
    /// As [`Launcher::launch`].
    pub async fn launch_builtin(
        &self,
        name: &str,
        provider: &Provider,
        guard: Option<&Guard>,
    ) -> Result<Process, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::lasting(&error))?;
        let arguments = vec!["provider".into(), name.into()];
        self.run((program.into(), arguments), provider, guard).await
    }

    /// Launches `command`, and returns when it answers calls.
    ///
    /// # Errors
    /// It cannot be started, ends at once, or does not register in time.
    pub async fn launch(
        &self,
        command: &[String],
        provider: &Provider,
        guard: Option<&Guard>,
    ) -> Result<Process, Failure> {
        let Some((program, arguments)) = command.split_first() else {
            let reason = format!("{} has an empty command", provider.id);
            return Err(Failure { reason, is_final: true });
        };
        let arguments = arguments.iter().map(OsString::from).collect();
        self.run((program.into(), arguments), provider, guard).await
    }

    async fn run(
        &self,
        (program, arguments): (OsString, Vec<OsString>),
        provider: &Provider,
        guard: Option<&Guard>,
    ) -> Result<Process, Failure> {
        let id = self
            .data
            .provider_process(&provider.id)
            .map_err(|error| Failure::lasting(error.as_ref()))?;
        let expected = self.registrations.expect(&provider.id, id);
        let (token, registered) = expected.map_err(|error| Failure::passing(&error))?;
        if let Some(guard) = guard {
            self.registrations.lend(&provider.id, guard);
        }
        let secrets = self.secrets_of(provider).await;
        let told = (token, guard.map(Guard::token), &secrets);
        let line = self.first_line(id, provider, told)?;
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
        let process = self.supervise((id, provider, secrets), child, stdin);
        let registration = shake_hands(&process, &provider.id, registered).await?;
        if guard.is_some() && !registration.is_fenced {
            process.kill().await;
            let reason = format!(
                "{} cannot be a singleton: its program does not know how to let go; build it with a newer SDK",
                provider.id
            );
            return Err(Failure { reason, is_final: true });
        }
        let _ = process.0.world.set(registration.world);
        Ok(process)
    }

    /// What the process is told, as one line of JSON.
    fn first_line(
        &self,
        id: ProcessId,
        provider: &Provider,
        (token, fence, secrets): (String, Option<u64>, &SecretValues),
    ) -> Result<Line, Failure> {
        let data_dir = self.data.provider_dir(&provider.id);
        let launch = Launch {
            lattice: self.member.lattice.clone(),
            nats: self.member.nats.url().to_owned(),
            credentials: None,
            process: id,
            id: provider.id.clone(),
            config: provider.config.clone(),
            secrets: secrets.clone(),
            data_dir: data_dir.map_err(|error| Failure::lasting(error.as_ref()))?,
            host: Some(self.member.process),
            token: Some(token),
            generation: provider.generation,
            fence,
            log: "info,async_nats=error,wicker_lattice::nats=warn".to_owned(),
            log_json: false,
        };
        line_of(&launch)
    }

    /// The values of the secrets that it needs from the start.
    async fn secrets_of(&self, provider: &Provider) -> SecretValues {
        let links = match timeout(READ_TIMEOUT, self.member.store.list::<Link>(&Link::all())).await
        {
            Ok(Ok(links)) => links.into_iter().map(|entry| entry.record).collect(),
            // It is told of those of its links as soon as they can be read.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let Provider { id, config, .. } = provider;
        let its = |link: &&Link| link.leads_to(id) || link.source == *id;
        values((id, config), links.iter().filter(its), self.secrets.as_ref())
    }

    /// Waits for the process in a task of the host's, so that its end is noticed whoever holds it.
    fn supervise(
        &self,
        (id, provider, secrets): (ProcessId, &Provider, SecretValues),
        mut child: Child,
        stdin: Option<ChildStdin>,
    ) -> Process {
        let (tell, ended) = watch::channel(None);
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        self.member.tasks.spawn_work(async move {
            let status = child.wait().await;
            tell.send_replace(Some(describe(status)));
        });
        let stdin = stdin.map(|stdin| {
            let (lines, told) = mpsc::channel(LINES_MAX);
            self.member.tasks.spawn_work(write(stdin, told));
            lines
        });
        let (begun, stdin, world) = (Instant::now(), Mutex::new(stdin), OnceLock::new());
        let (object, config) = (provider.id.clone(), provider.config.clone());
        let told = Mutex::new(secrets);
        Process(Arc::new(Launched { id, object, config, told, begun, stdin, group, world, ended }))
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

/// Waits until the process comes back with its token; returns what it says of itself.
async fn shake_hands(
    process: &Process,
    object: &ObjectId,
    registered: oneshot::Receiver<Registration>,
) -> Result<Registration, Failure> {
    let failed = |reason| Failure { reason, is_final: false };
    let outcome = tokio::select! {
        // Cancel-safe, both.
        outcome = timeout(READY_TIMEOUT, registered) => outcome,
        death = process.ended() => {
            return Err(failed(death.map_or_else(|| format!("{object} ended at once"), |death| death.reason)));
        }
    };
    match outcome {
        Ok(Ok(registration)) => Ok(registration),
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

    /// Tells it what its secrets are by now, unless it knows: those of its config, and of the links `links`.
    pub fn tell(&self, source: &dyn SecretSource, links: &[Link]) {
        let Launched { object, config, told, stdin, .. } = &*self.0;
        let secrets = values((object, config), links, source);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets == *told {
            return;
        }
        let Ok(line) = line_of(&Told { secrets: secrets.clone() }) else { return };
        let stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
        match stdin.as_ref().map(|stdin| stdin.try_send(line)) {
            Some(Ok(())) => *told = secrets,
            // It is told with the next change.
            Some(Err(_)) => tracing::warn!("{object} does not read what its secrets are"),
            None => {}
        }
    }

    /// Tells it to drain, waits for its end, and kills its group if that does not come.
    pub async fn end(&self) {
        let stdin = self.0.stdin.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(stdin);
        if timeout(END_TIMEOUT, self.ended()).await.is_err() {
            tracing::warn!(process = %self.0.id, "provider did not end in time and is killed");
            self.kill().await;
        }
    }

    /// Ends it at once, with all that it has started.
    pub async fn kill(&self) {
        if let Some(group) = self.0.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.ended().await;
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.0.id).finish_non_exhaustive()
    }
}

/// The values of the secrets that a provider's config and links name, as far as there are any.
fn values<'a>(
    (id, config): (&ObjectId, &serde_json::Value),
    links: impl IntoIterator<Item = &'a Link>,
    source: &dyn SecretSource,
) -> SecretValues {
    let named = wicker_provider::secrets::named(id.team(), config, links).into_iter();
    SecretValues::new(named.filter_map(|id| source.find(&id).ok().map(|value| (id, value))))
}

/// Writes lines until there are no more, then closes the input: the process ends.
async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Line>) {
    while let Some(line) = lines.recv().await {
        if !matches!(timeout(TELL_TIMEOUT, stdin.write_all(&line)).await, Ok(Ok(()))) {
            tracing::warn!("a provider's process does not read what its secrets are");
        }
    }
}

/// One line of JSON. It may hold secrets.
fn line_of(value: &impl serde::Serialize) -> Result<Line, Failure> {
    let line = serde_json::to_vec(value).map_err(|error| Failure::lasting(&error))?;
    let mut line = Zeroizing::new(line);
    line.push(b'\n');
    Ok(line)
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => format!("its process cannot be waited for: {error}"),
    }
}
