//! A provider in a process of its own, and a caller in another.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;

use futures::future::BoxFuture;
use tempfile::TempDir;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Status};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{Link, RunState, Running};
use wicker_lattice::store::{Change, Store, key};
use wicker_lattice::testing::NatsServer;

use super::{Links, pairs, soon};
use crate::{Builtin, Launch, Provider};

/// Which provider a started process becomes.
const VARIABLE: &str = "WICKER_TEST_PROVIDER";

/// What the one test of a program does that is called `provider_process`: it becomes one of `builtins`, if it was started
/// to be one.
///
/// # Panics
/// The provider fails.
pub fn become_provider(builtins: &[Builtin]) {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let builtin = builtins.iter().find(|builtin| builtin.name() == name);
    let builtin = *builtin.unwrap_or_else(|| panic!("this program is no {name}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(crate::process::run_builtin(builtin, Vec::new()));
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

/// A provider in a process of its own: this program, started again as its test `provider_process`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    launch: Launch,
    store: Store,
    rpc: Rpc,
    folder: TempDir,
}

/// Nobody calls the caller.
struct Nobody;

impl Invoke for Nobody {
    fn invoke(&self, _call: Call) -> Invocation<'_> {
        Box::pin(async { Err(CallError::new(Status::NotFound, "nothing is served here")) })
    }
}

impl Process {
    /// Starts `P` and waits until it is ready.
    ///
    /// # Panics
    /// It does not become ready.
    pub async fn start<P: Provider>(nats: &NatsServer, config: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Nats::connect(NatsConfig::at(nats.url())).await.unwrap();
        let store = Store::open(&connection.jetstream(), "default", 1).await.unwrap();
        let caller = RpcConfig::new("default", ProcessId::generate());
        let rpc = Rpc::start(caller, &connection, Arc::new(Nobody)).await.unwrap();
        let launch = Launch {
            lattice: "default".to_owned(),
            nats: nats.url().to_owned(),
            credentials: None,
            process: ProcessId::generate(),
            id: ObjectId::bare(P::IMPLEMENTATION).unwrap(),
            config,
            secrets: Default::default(),
            data_dir: folder.path().to_owned(),
            host: None,
            token: None,
            generation: 0,
            fence: None,
            log: "info".to_owned(),
            log_json: false,
        };
        let (child, stdin) = spawn(&launch, P::IMPLEMENTATION);
        let process = Self { child, stdin: Some(stdin), launch, store, rpc, folder };
        process.until_ready().await;
        process
    }

    /// Ends it without a word.
    ///
    /// # Panics
    /// It has ended already.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after it was killed: as the same process in the same place.
    ///
    /// # Panics
    /// It does not become ready.
    pub async fn start_again<P: Provider>(mut self) -> Self {
        let key = key::running(&self.launch.id, self.launch.process);
        self.store.delete::<Running>(&key).await.unwrap();
        let (child, stdin) = spawn(&self.launch, P::IMPLEMENTATION);
        (self.child, self.stdin) = (child, Some(stdin));
        self.until_ready().await;
        self
    }

    /// Links of `package` to it, each configured with `config`.
    ///
    /// # Panics
    /// `package` is none.
    #[must_use]
    pub fn links(&self, package: &str, config: &[(&str, &str)]) -> Links {
        let store = self.store.clone();
        let write = move |link: Link| -> BoxFuture<'static, u64> {
            let store = store.clone();
            Box::pin(async move { store.put(&link).await.unwrap() })
        };
        Links {
            target: self.launch.id.clone(),
            package: package.parse().unwrap(),
            config: pairs(config).collect(),
            invoke: self.rpc.remote(self.launch.process),
            write: Arc::new(write),
        }
    }

    async fn until_ready(&self) {
        let is_ready = |running: Option<&Running>| {
            running.is_some_and(|running| running.state == RunState::Ready)
        };
        self.until("ready", is_ready).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(Option<&Running>) -> bool) {
        let key = key::running(&self.launch.id, self.launch.process);
        let mut status = self.store.watch::<Running>(&key);
        let wait = async {
            let mut running = None;
            while !is_so(running.as_ref()) {
                match status.next().await {
                    Change::Put(entry) => running = Some(entry.record),
                    Change::Deleted { .. } => running = None,
                    Change::Current => {}
                }
            }
        };
        soon(what, wait).await;
    }

    /// Closes its standard input, upon which it takes back its status and ends well.
    ///
    /// # Panics
    /// It does not.
    pub async fn end(mut self) {
        drop(self.stdin.take());
        self.until("gone", |running| running.is_none()).await;
        let mut child = self.child;
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert!(soon("its end", status).await.unwrap().success());
        drop(self.folder);
    }
}

fn spawn(launch: &Launch, implementation: &str) -> (Child, ChildStdin) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "provider_process", "--nocapture"])
        .env(VARIABLE, implementation)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", serde_json::to_string(launch).unwrap()).unwrap();
    (child, stdin)
}
