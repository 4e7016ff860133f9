//! Where the laws are checked: a provider in this process, or one in a process of its own, links to it and away from it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use messaging::wasmcloud::consumer as plain;
use messaging::wasmcloud::types::BrokerMessage;
use tempfile::TempDir;
use wicker_lattice::call::{Invoke, LinkRef};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::link::Binding;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{Link, ObjectKind, RunState, Running, Scope};
use wicker_lattice::store::{Record as _, Store, key};
use wicker_lattice::testing::NatsServer;
use wicker_process::Tasks;
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Client, Environment, Launch, LinkRecord, NatsAccess, ProviderInstance, ProviderStart,
};

use crate::backend::{Backend, Kept, Kind};
use crate::inbox::Inbox;
use crate::mosquitto::Mosquitto;

pub(crate) const PLAIN: &str = "wasmcloud:messaging@0.2";

/// Who plays the host.
const HOST: &str = "01K0000000000000000000H0ST";

/// Whether a started process becomes a provider.
const VARIABLE: &str = "WICKER_TEST_PROVIDER";

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

pub(crate) fn become_provider() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = wicker_provider::process::run_builtin(builtin(&name), Vec::new());
    let code = runtime.block_on(run);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

fn builtin(name: &str) -> Builtin {
    [Kind::Memory, Kind::Mqtt, Kind::Nats]
        .into_iter()
        .find(|kind| kind.name() == name)
        .unwrap()
        .builtin()
}

/// A provider, a component's inbox, and the broker's other users.
pub(crate) struct Room {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) backend: Backend,
    id: ObjectId,
    revisions: AtomicU64,
    place: Place,
    /// The lattice's.
    nats: NatsServer,
    folder: TempDir,
}

enum Place {
    Here { instance: Arc<dyn ProviderInstance>, tasks: Tasks },
    There(Box<There>),
}

struct There {
    child: Child,
    stdin: ChildStdin,
    process: ProcessId,
    store: Store,
    rpc: Rpc,
}

fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Room {
    pub(crate) async fn in_process(backend: Backend, nats: NatsServer) -> Self {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::default());
        let inbox = Arc::new(Inbox::default());
        let environment = environment(backend.kind(), (folder.path(), &nats), &tasks);
        let (links, calls) = (Arc::new(NoLinkSource), Arc::clone(&inbox) as _);
        let start = ProviderStart { environment, config: backend.config(), links, calls };
        let instance = backend.kind().builtin().start(start).await.unwrap();
        Self::new((backend, nats), folder, inbox, Place::Here { instance, tasks })
    }

    /// The broker beside the lattice's NATS system.
    pub(crate) fn server(&mut self) -> &mut Mosquitto {
        match &mut self.backend {
            Backend::Mqtt(server) => server,
            Backend::Memory | Backend::Nats => panic!("there is no broker of its own"),
        }
    }

    /// Why a provider with these credentials does not start; nothing where it does.
    pub(crate) async fn refused(
        server: &Mosquitto,
        (username, password): (&str, &str),
        nats: &NatsServer,
    ) -> String {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::default());
        let config = serde_json::json!(
            { "url": server.url(), "username": username, "password": password }
        );
        let environment = environment(Kind::Mqtt, (folder.path(), nats), &tasks);
        let (links, calls) = (Arc::new(NoLinkSource), Arc::new(Inbox::default()) as _);
        let start = ProviderStart { environment, config, links, calls };
        let started = Kind::Mqtt.builtin().start(start).await;
        tasks.stop();
        started.err().map(|error| error.chain()).unwrap_or_default()
    }

    pub(crate) async fn process(backend: Backend, nats: NatsServer) -> Self {
        let (folder, inbox) = (tempfile::tempdir().unwrap(), Arc::new(Inbox::default()));
        let connection = Nats::connect(NatsConfig::at(nats.url())).await.unwrap();
        let store = Store::open(&connection.jetstream(), "default", 1).await.unwrap();
        let host: ProcessId = HOST.parse().unwrap();
        let caller = RpcConfig::new("default", host);
        let rpc = Rpc::start(caller, &connection, Arc::clone(&inbox) as _).await.unwrap();
        store.put(&runs_here(host)).await.unwrap();
        let launch = Launch {
            lattice: "default".to_owned(),
            nats: nats.url().to_owned(),
            credentials: None,
            process: ProcessId::generate(),
            id: provider(&backend),
            config: backend.config(),
            secrets: Default::default(),
            data_dir: folder.path().to_owned(),
            host: None,
            token: None,
            generation: 0,
            fence: None,
            log: "info".to_owned(),
            log_json: false,
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "provider_process", "--nocapture"])
            .env(VARIABLE, backend.kind().name())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", serde_json::to_string(&launch).unwrap()).unwrap();
        let process = launch.process;
        eventually("the provider is ready", || async {
            let running = store.get::<Running>(&key::running(&launch.id, process)).await.unwrap();
            running.filter(|entry| entry.record.state == RunState::Ready)
        })
        .await;
        let place = Place::There(Box::new(There { child, stdin, process, store, rpc }));
        Self::new((backend, nats), folder, inbox, place)
    }

    fn new(
        (backend, nats): (Backend, NatsServer),
        folder: TempDir,
        inbox: Arc<Inbox>,
        place: Place,
    ) -> Self {
        let (id, revisions) = (provider(&backend), AtomicU64::new(1));
        Self { inbox, backend, id, revisions, place, nats, folder }
    }

    /// The lattice's NATS system, which is also the broker of `messaging-nats`.
    pub(crate) async fn nats(&self) -> async_nats::Client {
        async_nats::connect(self.nats.url()).await.unwrap()
    }

    /// A component's link to the provider, for `package`.
    pub(crate) async fn sender(
        &self,
        source: &str,
        package: &str,
        settings: &[(&str, &str)],
    ) -> Client {
        let source = ObjectId::bare(source).unwrap();
        let link = link(source.clone(), package, ("default", self.id.clone()), settings);
        let revision = self.write(link).await;
        let invoke: Arc<dyn Invoke> = match &self.place {
            Place::Here { instance, .. } => Arc::clone(instance) as _,
            Place::There(there) => there.rpc.remote(there.process),
        };
        let link = LinkRef { name: "default".into(), revision };
        Client::new(source, Binding { target: self.id.clone(), link, invoke })
    }

    /// A subscription called `name`, which is open when this returns.
    pub(crate) async fn subscribe(
        &self,
        name: &str,
        package: &str,
        (subjects, kept): (&str, Kept),
        more: &[(&str, &str)],
    ) {
        let settings = self.backend.kind().settings(name, kept);
        let settings = [&[("subjects", subjects)], settings.as_slice(), more].concat();
        self.write(link(self.id.clone(), package, (name, inbox()), &settings)).await;
        let prober = plain::Client::new(self.sender("prober", PLAIN, &[]).await);
        let subject = subjects.replace(['*', '>'], "x");
        eventually("the subscription is open", || async {
            let (subject, body) = (subject.clone(), "probe".into());
            let probe = BrokerMessage { subject: subject.clone(), body, reply_to: None };
            prober.publish(probe).await.unwrap().unwrap();
            self.inbox.was_probed(&subject).then_some(())
        })
        .await;
    }

    pub(crate) async fn unsubscribe(&self, name: &str, package: &str) {
        let link = link(self.id.clone(), package, (name, inbox()), &[]);
        match &self.place {
            Place::Here { instance, .. } => {
                let revision = self.revisions.fetch_add(1, Ordering::Relaxed);
                instance.remove_link(&link.source, &link.scope, name, revision);
            }
            Place::There(there) => there.store.delete::<Link>(&link.key()).await.unwrap(),
        }
    }

    async fn write(&self, link: Link) -> u64 {
        match &self.place {
            Place::Here { instance, .. } => {
                let revision = self.revisions.fetch_add(1, Ordering::Relaxed);
                instance.apply_link(LinkRecord { link, revision }).await.unwrap();
                revision
            }
            Place::There(there) => there.store.put(&link).await.unwrap(),
        }
    }

    pub(crate) async fn end(self) {
        match self.place {
            Place::Here { instance, tasks } => {
                soon("its drain", instance.drain()).await;
                tasks.stop();
            }
            Place::There(there) => {
                let There { mut child, stdin, .. } = *there;
                drop(stdin);
                let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
                assert!(soon("its end", status).await.unwrap().success());
            }
        }
        drop(self.folder);
    }
}

pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> T {
    let wait = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, wait).await
}

fn environment(kind: Kind, (folder, nats): (&Path, &NatsServer), tasks: &Tasks) -> Environment {
    Environment {
        lattice: "default".to_owned(),
        id: ObjectId::bare(kind.name()).unwrap(),
        process: ProcessId::generate(),
        data_dir: folder.to_owned(),
        nats: Some(NatsAccess { url: nats.url().to_owned(), credentials: None }),
        tasks: tasks.clone(),
    }
}

fn provider(backend: &Backend) -> ObjectId {
    ObjectId::bare(backend.kind().name()).unwrap()
}

fn inbox() -> ObjectId {
    ObjectId::bare("inbox").unwrap()
}

fn link(
    source: ObjectId,
    package: &str,
    (name, target): (&str, ObjectId),
    settings: &[(&str, &str)],
) -> Link {
    Link {
        source,
        scope: Scope::Package(package.parse().unwrap()),
        name: name.to_owned(),
        target,
        secrets: Default::default(),
        config: config(settings),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

/// What the host would say of the inbox.
fn runs_here(host: ProcessId) -> Running {
    Running {
        object: inbox(),
        kind: ObjectKind::Component,
        process: host,
        incarnation: Incarnation::generate(),
        host: Some(host),
        generation: 1,
        digest: None,
        serves: Vec::new(),
        types: None,
        state: RunState::Ready,
        reason: None,
        failing_links: Default::default(),
        failed_generation: None,
        since: "2026-01-01T00:00:00Z".to_owned(),
    }
}
