//! One lattice of a test: a nats-server of its own and the hosts on it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use wicker_lattice::id::ObjectId;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::store::{Record as _, Store, key, record};
use wicker_lattice::testing::NatsServer;

use crate::host::{TestHost, wicker};
use crate::{Web, eventually};

/// The name of every test's lattice: each has a NATS server of its own.
const NAME: &str = "test";

/// A lattice, and what a test needs to look into it.
#[derive(Debug)]
pub struct TestLattice {
    /// Its NATS server.
    pub nats: NatsServer,
    /// Its state.
    pub store: Store,
    /// A client for the hosts' listeners.
    pub web: Web,
    _connection: Nats,
    folder: TempDir,
    hosts: AtomicU32,
}

impl TestLattice {
    /// Starts a nats-server (the first that is found) and opens the lattice's state on it.
    ///
    /// # Panics
    /// No nats-server is installed (`make test-tools` installs it).
    pub async fn start() -> Self {
        Self::start_on(NatsServer::start().await).await
    }

    /// As [`TestLattice::start`], on a server that the test started.
    ///
    /// # Panics
    /// The server does not answer.
    #[expect(clippy::expect_used, reason = "a test without its lattice cannot go on")]
    pub async fn start_on(nats: NatsServer) -> Self {
        let connection =
            Nats::connect(NatsConfig::at(nats.url())).await.expect("the nats-server answers");
        let store = Store::open(&connection.jetstream(), NAME, 1).await.expect("the state opens");
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self {
            nats,
            store,
            web: Web::default(),
            _connection: connection,
            folder,
            hosts: AtomicU32::new(0),
        }
    }

    /// A folder for files of the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts `wicker up` with `args` (files and flags) and waits until its lease is there.
    ///
    /// # Panics
    /// It ends, or its lease does not come; the message holds its log.
    pub async fn host(&self, args: &[&str]) -> TestHost {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        self.host_in(&self.folder().join(format!("host-{number}")), args).await
    }

    /// As [`TestLattice::host`], in a data directory of the test's choice: a host that comes back.
    ///
    /// # Panics
    /// As [`TestLattice::host`].
    #[expect(clippy::expect_used, clippy::panic, reason = "a test without its host cannot go on")]
    pub async fn host_in(&self, data: &Path, args: &[&str]) -> TestHost {
        let log = PathBuf::from(format!("{}.log", data.display()));
        let output = File::options().create(true).append(true).open(&log).expect("the log opens");
        let mut child = wicker()
            .args(["--nats", self.nats.url(), "--lattice", NAME, "--data"])
            .arg(data)
            .args(["up", "--http", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log can be shared"))
            .stderr(output)
            .spawn()
            .expect("wicker starts");
        let pid = child.id().expect("it runs");
        let lease = eventually("the host's lease", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!(
                    "wicker up ended with {status}:\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            self.lease_of(pid)
        })
        .await;
        let http = lease
            .http
            .as_deref()
            .and_then(|http| http.parse().ok())
            .expect("the lease names the listener");
        TestHost { child, http, process: lease.process, log }
    }

    /// The lease of the host with this operating system process id.
    async fn lease_of(&self, pid: u32) -> Option<record::Host> {
        let leases =
            self.store.list::<record::Host>(&record::Host::all()).await.unwrap_or_default();
        leases
            .into_iter()
            .map(|entry| entry.record)
            .find(|host| host.pid == Some(pid) && host.http.is_some())
    }

    /// Runs a verb to its end and returns what it printed, as JSON.
    ///
    /// # Panics
    /// It fails; the message holds its stderr.
    pub async fn wicker(&self, args: &[&str]) -> Value {
        #[expect(clippy::panic, reason = "a verb that fails unexpectedly fails the test")]
        match self.try_wicker(args).await {
            Ok(value) => value,
            Err(message) => panic!("wicker {} failed: {message}", args.join(" ")),
        }
    }

    /// Runs a verb to its end: what it printed, as JSON, or its stderr where it failed.
    ///
    /// # Errors
    /// The verb's exit code was not 0.
    ///
    /// # Panics
    /// The program does not run, or prints what is not JSON.
    pub async fn try_wicker(&self, args: &[&str]) -> Result<Value, String> {
        self.wicker_with(&[], args).await
    }

    /// As [`TestLattice::try_wicker`], with environment variables.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    #[expect(clippy::expect_used, reason = "these are bugs of the test or of the program")]
    pub async fn wicker_with(
        &self,
        environment: &[(&str, &Path)],
        args: &[&str],
    ) -> Result<Value, String> {
        let output = self.command(args).envs(environment.iter().copied()).output().await;
        let output = output.expect("wicker runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8(output.stdout).expect("the output is text");
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text).expect("the output is JSON"))
    }

    /// Runs a verb to its end: its exit code, and what it printed, as JSON.
    pub async fn exit_code(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.verb(args).await;
        let printed = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), printed)
    }

    #[expect(clippy::expect_used, reason = "a program that does not run fails the test")]
    async fn verb(&self, args: &[&str]) -> Output {
        self.command(args).output().await.expect("wicker runs")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = wicker();
        command.args(["--nats", self.nats.url(), "--lattice", NAME, "--output", "json"]);
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a verb that prints one JSON document a line.
    ///
    /// # Panics
    /// As [`TestLattice::wicker`].
    pub async fn wicker_lines(&self, args: &[&str]) -> Vec<Value> {
        let output = self.verb(args).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        #[expect(clippy::expect_used, reason = "output that is not JSON is a bug of the program")]
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        lines
    }

    /// A `wicker` verb that goes on until it is killed, with its standard output and error in files of that name.
    ///
    /// # Panics
    /// The program does not run.
    #[expect(clippy::expect_used, reason = "a program that does not run fails the test")]
    pub(crate) fn spawn(&self, name: &str, args: &[&str]) -> (Child, PathBuf) {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let file = self.folder().join(format!("{name}-{number}"));
        let open = |path: &Path| File::create(path).expect("the file opens");
        let child = wicker()
            .args(["--nats", self.nats.url(), "--lattice", NAME, "--output", "json"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(open(&file))
            .stderr(open(&file.with_extension("err")))
            .spawn()
            .expect("wicker starts");
        (child, file)
    }

    /// A `wicker up` that nobody waits for.
    ///
    /// # Panics
    /// The program does not run.
    #[must_use]
    pub fn starting(&self, args: &[&str]) -> Child {
        let data = self.folder().join("starting").display().to_string();
        let up = ["--data", &data, "up", "--http", "127.0.0.1:0"];
        self.spawn("up", &[&up, args].concat()).0
    }

    /// Starts a built-in provider by hand, as `id`, and waits until it says that it runs.
    ///
    /// # Panics
    /// It does not.
    #[expect(clippy::expect_used, reason = "a test without its provider cannot go on")]
    pub async fn provider(&self, implementation: &str, id: &str) -> Child {
        let args = ["provider", implementation, "--", "--id", id];
        let (child, _) = self.spawn("provider", &args);
        let object: ObjectId = id.parse().expect("an id");
        eventually("the provider runs", || self.running(&object)).await;
        child
    }

    /// What the processes that run `object` say of it; `None` while there is none.
    pub async fn running(&self, object: &ObjectId) -> Option<Vec<record::Running>> {
        let entries = self.store.list(&key::running_everywhere(object)).await.ok()?;
        let running: Vec<_> = entries.into_iter().map(|entry| entry.record).collect();
        (!running.is_empty()).then_some(running)
    }

    /// Runs `wicker up` with arguments that it must refuse, and returns what it said.
    ///
    /// # Panics
    /// It starts all the same.
    #[expect(clippy::expect_used, reason = "these are bugs of the test or of the program")]
    pub async fn refused_up(&self, args: &[&str]) -> String {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let data = self.folder().join(format!("refused-{number}"));
        let mut command = wicker();
        command.args(["up", "--lattice", NAME]);
        for (flag, value) in [
            ("--nats", self.nats.url()),
            ("--http", "127.0.0.1:0"),
            ("--data", &data.display().to_string()),
        ] {
            if !args.contains(&flag) {
                command.args([flag, value]);
            }
        }
        let output =
            tokio::time::timeout(crate::WAIT, command.args(args).stdin(Stdio::null()).output());
        let output = output.await.expect("it gives up in time").expect("wicker runs");
        assert!(!output.status.success(), "wicker up {args:?} was not refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
