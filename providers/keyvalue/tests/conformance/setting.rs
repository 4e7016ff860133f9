//! Where the laws are checked: a provider in this process, or one in a process of its own, and links to it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tempfile::TempDir;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, LinkRef, Status};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::interface::{InterfaceKey, PackageKey};
use wicker_lattice::link::Binding;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{Link, RunState, Running, Scope};
use wicker_lattice::store::{Change, Store, key};
use wicker_lattice::testing::NatsServer;
use wicker_process::Tasks;
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Client, Environment, Launch, LinkRecord, NatsAccess, Provider, ProviderInstance,
    ProviderStart,
};

use crate::laws::Shop;

/// Who calls, and plays the host.
pub(crate) const HOST: &str = "01K0000000000000000000H0ST";

/// Which provider a started process becomes.
const VARIABLE: &str = "WICKER_TEST_PROVIDER";

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

pub(crate) fn become_provider() {
    let code = match std::env::var(VARIABLE).as_deref() {
        Ok("keyvalue-redb") => run::<keyvalue_redb::Redb>(),
        Ok("keyvalue-redis") => run::<keyvalue_redis::Redis>(),
        Ok("keyvalue-postgres") => run::<keyvalue_postgres::Postgres>(),
        Ok("keyvalue-nats") => run::<keyvalue_nats::Nats>(),
        _ => return,
    };
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

fn run<P: Provider>() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(wicker_provider::process::run_builtin(Builtin::of::<P>(), Vec::new()))
}

/// Makes links to one provider.
pub(crate) struct Links {
    target: ObjectId,
    config: BTreeMap<String, String>,
    invoke: Arc<dyn Invoke>,
    write: Box<dyn Fn(Link) -> BoxFuture<'static, u64> + Send + Sync>,
}

static SOURCES: AtomicU64 = AtomicU64::new(0);

impl Links {
    /// A link of a source of its own, configured with this beside what all have.
    pub(crate) async fn open(&self, config: &[(&str, &str)]) -> Shop {
        let source = format!("shop-{}", SOURCES.fetch_add(1, Ordering::Relaxed));
        self.write(ObjectId::bare(&source).unwrap(), config).await
    }

    /// The same link, configured anew.
    pub(crate) async fn reopen(&self, shop: &Shop, config: &[(&str, &str)]) -> Shop {
        self.write(shop.source.clone(), config).await
    }

    async fn write(&self, source: ObjectId, config: &[(&str, &str)]) -> Shop {
        let own = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut revision = 0;
        for package in ["wasi:keyvalue@0.2.0-draft", "wasi:keyvalue@0.2.0-draft2"] {
            let link = Link {
                source: source.clone(),
                scope: Scope::Package(package.parse::<PackageKey>().unwrap()),
                name: "default".to_owned(),
                target: self.target.clone(),
                secrets: Default::default(),
                config: self.config.clone().into_iter().chain(own.clone()).collect(),
                timeout_ms: None,
                idempotent: Vec::new(),
                split: Vec::new(),
            };
            revision = (self.write)(link).await;
        }
        // Both drafts are called with one revision here; it is the second's, so the first is read as newer than it is.
        let link = LinkRef { name: "default".into(), revision };
        let invoke = Arc::new(PerPackage { invoke: Arc::clone(&self.invoke) });
        let binding = Binding { target: self.target.clone(), link, invoke };
        Shop::new(source.clone(), Client::new(source, binding).with_timeout(PATIENCE))
    }
}

/// Gives the calls of the first draft the revision of their own link: the one before the second's.
struct PerPackage {
    invoke: Arc<dyn Invoke>,
}

impl Invoke for PerPackage {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        let first: InterfaceKey = call.interface.clone();
        if first.package().as_str() == "wasi:keyvalue@0.2.0-draft" {
            call.link.revision -= 1;
        }
        self.invoke.invoke(call)
    }
}

/// A provider in this process.
pub(crate) struct InProcess {
    instance: Arc<dyn ProviderInstance>,
    id: ObjectId,
    tasks: Tasks,
    _folder: TempDir,
}

impl InProcess {
    pub(crate) async fn start<P: Provider>(config: serde_json::Value, nats: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = ObjectId::bare(P::IMPLEMENTATION).unwrap();
        let tasks = Tasks::default();
        let environment = Environment {
            lattice: "test".to_owned(),
            id: id.clone(),
            process: wicker_provider::lattice::id::ProcessId::generate(),
            data_dir: folder.path().to_owned(),
            nats: nats.map(|url| NatsAccess { url: url.to_owned(), credentials: None }),
            tasks: tasks.clone(),
        };
        let (links, calls) = (Arc::new(NoLinkSource), Arc::new(NoLinkSource));
        let start = ProviderStart { environment, config, links, calls };
        let instance = Builtin::of::<P>().start(start).await.unwrap();
        Self { instance, id, tasks, _folder: folder }
    }

    pub(crate) fn links(&self, config: &[(&str, &str)]) -> Links {
        let instance = Arc::clone(&self.instance);
        let revision = Arc::new(AtomicU64::new(1));
        let write = move |link| -> BoxFuture<'static, u64> {
            let (instance, revision) =
                (Arc::clone(&instance), revision.fetch_add(1, Ordering::Relaxed));
            Box::pin(async move {
                // One that cannot be opened fails its calls.
                drop(instance.apply_link(LinkRecord { link, revision }).await);
                revision
            })
        };
        links(&self.id, config, Arc::clone(&self.instance) as _, Box::new(write))
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn links(
    target: &ObjectId,
    config: &[(&str, &str)],
    invoke: Arc<dyn Invoke>,
    write: Box<dyn Fn(Link) -> BoxFuture<'static, u64> + Send + Sync>,
) -> Links {
    let config =
        config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Links { target: target.clone(), config, invoke, write }
}

/// A provider in a process of its own, and a caller in another.
pub(crate) struct Process {
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
    pub(crate) async fn start<P: Provider>(nats: &NatsServer, config: serde_json::Value) -> Self {
        let process = Self::launch::<P>(nats, config, |_, _| {}).await;
        process.until_ready().await;
        process
    }

    /// Starts it with what `change` makes of its launch, and does not wait. The [`Rpc`] is the caller's, which may play
    /// the host.
    pub(crate) async fn launch<P: Provider>(
        nats: &NatsServer,
        config: serde_json::Value,
        change: impl FnOnce(&mut Launch, &Rpc),
    ) -> Self {
        Self::launch_program(
            this_program(P::IMPLEMENTATION),
            P::IMPLEMENTATION,
            nats,
            config,
            change,
        )
        .await
    }

    /// Starts the provider that is written in Python, and waits until it is ready.
    pub(crate) async fn python(nats: &NatsServer) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut program = Command::new("python3");
        program.arg("-B").arg(root.join("providers/sdk-python/examples/keyvalue_sqlite.py"));
        let (config, as_it_is) = (serde_json::json!({}), |_: &mut Launch, _: &Rpc| {});
        let process =
            Self::launch_program(program, "keyvalue-python", nats, config, as_it_is).await;
        process.until_ready().await;
        process
    }

    async fn launch_program(
        program: Command,
        name: &str,
        nats: &NatsServer,
        config: serde_json::Value,
        change: impl FnOnce(&mut Launch, &Rpc),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Nats::connect(NatsConfig::at(nats.url())).await.unwrap();
        let store = Store::open(&connection.jetstream(), "default", 1).await.unwrap();
        let caller = RpcConfig::new("default", HOST.parse().unwrap());
        let rpc = Rpc::start(caller, &connection, Arc::new(Nobody)).await.unwrap();
        let mut launch = Launch {
            lattice: "default".to_owned(),
            nats: nats.url().to_owned(),
            credentials: None,
            process: ProcessId::generate(),
            id: ObjectId::bare(name).unwrap(),
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
        change(&mut launch, &rpc);
        let (child, stdin) = spawn(&launch, program);
        Self { child, stdin: Some(stdin), launch, store, rpc, folder }
    }

    /// Waits until it ends by itself, having failed.
    pub(crate) async fn fails(mut self) {
        let status = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        assert!(!soon("its failure", status).await.unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after it was killed: as the same process in the same place.
    pub(crate) async fn start_again<P: Provider>(mut self) -> Self {
        let key = key::running(&self.launch.id, self.launch.process);
        self.store.delete::<Running>(&key).await.unwrap();
        let (child, stdin) = spawn(&self.launch, this_program(P::IMPLEMENTATION));
        (self.child, self.stdin) = (child, Some(stdin));
        self.until_ready().await;
        self
    }

    pub(crate) fn links(&self, config: &[(&str, &str)]) -> Links {
        let store = self.store.clone();
        let write = move |link| -> BoxFuture<'static, u64> {
            let store = store.clone();
            Box::pin(async move { store.put(&link).await.unwrap() })
        };
        links(&self.launch.id, config, self.rpc.remote(self.launch.process), Box::new(write))
    }

    pub(crate) async fn until_ready(&self) {
        self.until("ready", |running| {
            running.is_some_and(|running| running.state == RunState::Ready)
        })
        .await;
    }

    pub(crate) async fn until_degraded(&self) {
        let is_degraded = |running: Option<&Running>| {
            running.is_some_and(|running| {
                running.state == RunState::Degraded && running.reason.is_some()
            })
        };
        self.until("degraded", is_degraded).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(Option<&Running>) -> bool) {
        let mut status =
            self.store.watch::<Running>(&key::running(&self.launch.id, self.launch.process));
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
    pub(crate) async fn end(mut self) {
        drop(self.stdin.take());
        self.until("gone", |running| running.is_none()).await;
        let mut child = self.child;
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert!(soon("its end", status).await.unwrap().success());
        drop(self.folder);
    }
}

/// This test, which becomes the provider.
fn this_program(implementation: &str) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "provider_process", "--nocapture"]).env(VARIABLE, implementation);
    program
}

fn spawn(launch: &Launch, mut program: Command) -> (Child, ChildStdin) {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", serde_json::to_string(launch).unwrap()).unwrap();
    (child, stdin)
}
