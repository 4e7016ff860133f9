//! The backends, each in a place of its own.

use std::sync::Arc;

use secrets::{FileSecrets, Key};
use secrets_nats::{KeyFiles, NatsSecrets};
use tempfile::TempDir;
use tokio::sync::oneshot;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::secret::{Secret, SecretId, SecretSource};
use wicker_lattice::store::Store;
use wicker_lattice::testing::NatsServer;
use wicker_process::Tasks;

/// A backend, and how its operator changes it.
pub(crate) trait Setting {
    fn source(&self) -> Arc<dyn SecretSource>;
    async fn set(&self, id: &SecretId, value: &str);
    async fn remove(&self, id: &SecretId);
    /// What lies there for others to read.
    async fn at_rest(&self) -> Option<String>;
}

pub(crate) fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// A file that a host follows.
pub(crate) struct File {
    pub(crate) file: FileSecrets,
    pub(crate) source: Arc<dyn SecretSource>,
    is_sealed: bool,
    tasks: Tasks,
    _folder: TempDir,
}

impl File {
    fn start(name: &str) -> Self {
        let is_sealed = name.ends_with(".age");
        let folder = tempfile::tempdir().unwrap();
        let key = is_sealed.then(|| Key::make(&folder.path().join("key")).unwrap());
        let file = FileSecrets::new(folder.path().join(name), key);
        file.change(|_| ()).unwrap();
        let (held, tasks) = (file.hold().unwrap(), Tasks::default());
        tasks.spawn("secrets", file.clone().follow(Arc::clone(&held), tasks.clone()));
        Self { file, source: held, is_sealed, tasks, _folder: folder }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Setting for File {
    fn source(&self) -> Arc<dyn SecretSource> {
        Arc::clone(&self.source)
    }

    async fn set(&self, id: &SecretId, value: &str) {
        self.file.change(|values| values.insert(id.clone(), secret(value))).unwrap();
    }

    async fn remove(&self, id: &SecretId) {
        self.file.change(|values| values.remove(id)).unwrap();
    }

    async fn at_rest(&self) -> Option<String> {
        let read = || std::fs::read_to_string(self.file.path()).unwrap();
        self.is_sealed.then(read)
    }
}

pub(crate) struct EnvFile;

impl EnvFile {
    pub(crate) async fn start() -> File {
        File::start("secrets.env")
    }
}

pub(crate) struct SealedFile;

impl SealedFile {
    pub(crate) async fn start() -> File {
        File::start("secrets.age")
    }
}

/// The secrets of a lattice, as its first host has them.
pub(crate) struct Lattice {
    pub(crate) store: Store,
    pub(crate) source: Arc<NatsSecrets>,
    pub(crate) folder: TempDir,
    tasks: Tasks,
    _nats: NatsServer,
}

impl Lattice {
    pub(crate) async fn start() -> Self {
        let nats = NatsServer::start().await;
        let connection = Nats::connect(NatsConfig::at(nats.url())).await.unwrap();
        let store = Store::open(&connection.jetstream(), "test", 1).await.unwrap();
        let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::default());
        let source = host(&store, &folder, "first", &tasks).await;
        Self { store, source, folder, tasks, _nats: nats }
    }

    /// As another host has them, which has a data directory of its own.
    pub(crate) async fn other_host(&self) -> Arc<NatsSecrets> {
        host(&self.store, &self.folder, "other", &self.tasks).await
    }
}

async fn host(store: &Store, folder: &TempDir, name: &str, tasks: &Tasks) -> Arc<NatsSecrets> {
    let files = KeyFiles { given: None, own: folder.path().join(name) };
    let source = NatsSecrets::open(store, &files).await.unwrap();
    let (current, read) = oneshot::channel();
    let following = Arc::clone(&source).follow(store.clone(), tasks.clone(), current);
    tasks.spawn("secrets", following);
    read.await.unwrap();
    source
}

impl Drop for Lattice {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Setting for Lattice {
    fn source(&self) -> Arc<dyn SecretSource> {
        Arc::clone(&self.source) as _
    }

    async fn set(&self, id: &SecretId, value: &str) {
        secrets_nats::set(&self.store, id, &secret(value), "now".to_owned()).await.unwrap();
    }

    async fn remove(&self, id: &SecretId) {
        assert!(secrets_nats::remove(&self.store, id).await.unwrap());
    }

    async fn at_rest(&self) -> Option<String> {
        let all = secrets_nats::list(&self.store).await.unwrap();
        Some(all.into_iter().map(|entry| entry.record.sealed).collect())
    }
}
