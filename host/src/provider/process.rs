//! Providers in processes of their own: launched, shaken hands with, and ended by closing their input.
//!
//! A launched process is in a group of its own, so that Ctrl-C in the terminal is the host's affair and nothing it
//! started outlives it. It gets one JSON line on its standard input and then that input stays open: when it closes,
//! because the host drains it or because the host died, the process drains and ends.

use std::ffi::OsString;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::store::record::{Provider, Running};
use wicker_lattice::store::{Change, key};

use crate::control::{lasting, passing};
use crate::data_dir::DataDir;
use crate::logs::Logs;
use crate::member::Member;
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
    /// `Some` once the process has ended.
    ended: watch::Receiver<Option<String>>,
}

impl Launcher {
    /// A launcher for this host.
    #[must_use]
    pub fn new(member: Member, data: Arc<DataDir>, logs: Arc<Logs>) -> Self {
        Self { member, data, logs }
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
        let program = std::env::current_exe().map_err(|error| lasting(&error))?;
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
        let id =
            self.data.provider_process(&provider.id).map_err(|error| lasting(error.as_ref()))?;
        let line = self.first_line(id, provider)?;
        let before = self.incarnation(&provider.id, id).await?;
        let mut child = Command::new(&program)
            .args(&arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| passing(&error))?;
        self.forward(&provider.id, "stdout", child.stdout.take());
        self.forward(&provider.id, "stderr", child.stderr.take());
        let mut stdin = child.stdin.take();
        if let Some(stdin) = stdin.as_mut() {
            stdin.write_all(&line).await.map_err(|error| passing(&error))?;
        }
        let process = self.supervise(id, child, stdin);
        self.shake_hands(&process, &provider.id, before).await?;
        Ok(process)
    }

    /// What the process is told, as one line of JSON.
    fn first_line(&self, id: ProcessId, provider: &Provider) -> Result<Vec<u8>, Failure> {
        let line = serde_json::json!({
            "lattice": self.member.lattice,
            "nats": self.member.nats.url(),
            "process": id,
            "host": self.member.process,
            "provider": provider.id,
            "generation": provider.generation,
            "config": provider.config,
        });
        let mut line = serde_json::to_vec(&line).map_err(|error| lasting(&error))?;
        line.push(b'\n');
        Ok(line)
    }

    /// Which start of the process the status speaks of so far.
    async fn incarnation(
        &self,
        object: &ObjectId,
        process: ProcessId,
    ) -> Result<Option<Incarnation>, Failure> {
        let entry = self.member.store.get::<Running>(&key::running(object, process)).await;
        Ok(entry.map_err(|error| passing(&error))?.map(|entry| entry.record.incarnation))
    }

    /// Waits until the process says that it takes calls.
    async fn shake_hands(
        &self,
        process: &Process,
        object: &ObjectId,
        before: Option<Incarnation>,
    ) -> Result<(), Failure> {
        let mut status = self.member.store.watch::<Running>(&key::running(object, process.id()));
        let ready = async {
            loop {
                if let Change::Put(entry) = status.next().await
                    && Some(entry.record.incarnation) != before
                    && entry.record.state.takes_calls()
                {
                    return;
                }
            }
        };
        let failed = |reason| Failure { reason, is_final: false };
        tokio::select! {
            // Cancel-safe, both.
            outcome = timeout(READY_TIMEOUT, ready) => {
                outcome.map_err(|_| failed(format!("{object} did not register within {READY_TIMEOUT:?}")))
            }
            death = process.ended() => {
                Err(failed(death.map_or_else(|| format!("{object} ended at once"), |death| death.reason)))
            }
        }
    }

    /// Waits for the process in a task of the host's, so that its end is noticed whoever holds it.
    fn supervise(&self, id: ProcessId, mut child: Child, stdin: Option<ChildStdin>) -> Process {
        let (tell, ended) = watch::channel(None);
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        self.member.tasks.spawn_work(async move {
            let status = child.wait().await;
            tell.send_replace(Some(describe(status)));
        });
        Process(Arc::new(Launched {
            id,
            begun: Instant::now(),
            stdin: Mutex::new(stdin),
            group,
            ended,
        }))
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

impl Process {
    /// Where calls to it go.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.0.id
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
