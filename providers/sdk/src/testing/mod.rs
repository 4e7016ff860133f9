//! Where the laws of an interface are checked: a provider in this process, or one in a process of its own, and links to it.
//!
//! For tests of providers, behind the feature `testing`. What cannot go on panics.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod postgres;
mod process;
mod s3;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tempfile::TempDir;
use wicker_lattice::call::{Invoke, LinkRef};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::interface::PackageKey;
use wicker_lattice::link::Binding;
use wicker_lattice::store::record::{Link, Scope};
use wicker_process::Tasks;

pub use self::postgres::PostgresServer;
pub use self::process::{Process, become_provider};
pub use self::s3::S3Server;

use crate::link::NoLinkSource;
use crate::{
    Builtin, Client, Environment, LinkRecord, NatsAccess, Provider, ProviderInstance, ProviderStart,
};

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
///
/// # Panics
/// It does not happen within [`PATIENCE`].
pub async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// Asks again until the answer is yes.
///
/// # Panics
/// It is not within [`PATIENCE`].
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, wait).await;
}

type Write = Arc<dyn Fn(Link) -> BoxFuture<'static, u64> + Send + Sync>;

/// Makes links of one package to one provider.
#[derive(Clone)]
pub struct Links {
    target: ObjectId,
    package: PackageKey,
    config: BTreeMap<String, String>,
    invoke: Arc<dyn Invoke>,
    write: Write,
}

static SOURCES: AtomicU64 = AtomicU64::new(0);

impl Links {
    /// A link of a source that nobody else is, configured with this beside what all have.
    pub async fn open(&self, config: &[(&str, &str)]) -> Client {
        let number = SOURCES.fetch_add(1, Ordering::Relaxed);
        self.open_as(&format!("test/app-{number}/caller"), config).await
    }

    /// A link of `source`.
    ///
    /// # Panics
    /// That is no id.
    pub async fn open_as(&self, source: &str, config: &[(&str, &str)]) -> Client {
        let source: ObjectId = source.parse().unwrap();
        let link = Link {
            source: source.clone(),
            scope: Scope::Package(self.package.clone()),
            name: "default".to_owned(),
            target: self.target.clone(),
            secrets: Default::default(),
            config: self.config.clone().into_iter().chain(pairs(config)).collect(),
            timeout_ms: None,
            idempotent: Vec::new(),
            split: Vec::new(),
        };
        let revision = (self.write)(link).await;
        let link = LinkRef { name: "default".into(), revision };
        let binding =
            Binding { target: self.target.clone(), link, invoke: Arc::clone(&self.invoke) };
        Client::new(source, binding).with_timeout(PATIENCE)
    }
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("target", &self.target).finish_non_exhaustive()
    }
}

fn pairs(config: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
}

/// A provider in this process.
pub struct InProcess {
    instance: Arc<dyn ProviderInstance>,
    id: ObjectId,
    tasks: Tasks,
    _folder: TempDir,
}

impl InProcess {
    /// Starts `P`.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start<P: Provider>(config: serde_json::Value, nats: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = ObjectId::bare(P::IMPLEMENTATION).unwrap();
        let tasks = Tasks::default();
        let environment = Environment {
            lattice: "test".to_owned(),
            id: id.clone(),
            process: ProcessId::generate(),
            data_dir: folder.path().to_owned(),
            nats: nats.map(|url| NatsAccess { url: url.to_owned(), credentials: None }),
            tasks: tasks.clone(),
        };
        let (links, calls) = (Arc::new(NoLinkSource), Arc::new(NoLinkSource));
        let start = ProviderStart { environment, config, links, calls };
        let instance = Builtin::of::<P>().start(start).await.unwrap();
        Self { instance, id, tasks, _folder: folder }
    }

    /// Links of `package` to it, each configured with `config`. A link that cannot be opened fails its calls.
    ///
    /// # Panics
    /// `package` is none.
    #[must_use]
    pub fn links(&self, package: &str, config: &[(&str, &str)]) -> Links {
        let (instance, revision) = (Arc::clone(&self.instance), Arc::new(AtomicU64::new(1)));
        let write = move |link| -> BoxFuture<'static, u64> {
            let instance = Arc::clone(&instance);
            let revision = revision.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                drop(instance.apply_link(LinkRecord { link, revision }).await);
                revision
            })
        };
        Links {
            target: self.id.clone(),
            package: package.parse().unwrap(),
            config: pairs(config).collect(),
            invoke: Arc::clone(&self.instance) as _,
            write: Arc::new(write),
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("id", &self.id).finish_non_exhaustive()
    }
}
