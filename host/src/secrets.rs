//! Where this host has its secrets from: the lattice's own, or a file that its operator named.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrets::{FileSecrets, Key};
use secrets_nats::{KeyFiles, NatsSecrets};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use wicker_lattice::secret::{Held, SecretSource};
use wicker_lattice::store::record::SecretNames;

use crate::config::HostConfig;
use crate::data_dir::DataDir;
use crate::member::Member;

/// The file of the data directory that holds the key of the lattice's secrets.
pub const KEY_FILE: &str = "secrets.key";

/// How long the lattice's secrets may take to be read before anything is started without them.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before what could not be written is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Opens the source, and follows it for as long as the host runs.
///
/// # Errors
/// The file or the key that was named cannot be used, or the lattice's state cannot be reached.
pub async fn start(
    config: &HostConfig,
    data: &DataDir,
    member: &Member,
) -> anyhow::Result<Arc<dyn SecretSource>> {
    let own = data.path().join(KEY_FILE);
    let tasks = member.tasks.clone();
    if let Some(path) = &config.secrets {
        let file = file(path.clone(), config.secrets_key.clone().unwrap_or(own))?;
        let held = file.hold().context("--secrets")?;
        tasks.spawn("secrets", file.follow(Arc::clone(&held), tasks.clone()));
        tasks.spawn("secret-names", say_names(Arc::clone(&held), member.clone()));
        return Ok(held);
    }
    let files = KeyFiles { given: config.secrets_key.clone(), own };
    let opened = NatsSecrets::open(&member.store, &files).await;
    let opened = opened.context("cannot use the lattice's secrets")?;
    let (current, read) = oneshot::channel();
    let following = Arc::clone(&opened).follow(member.store.clone(), tasks.clone(), current);
    tasks.spawn("secrets", following);
    if timeout(READ_TIMEOUT, read).await.is_err() {
        tracing::warn!("the lattice's secrets could not be read yet");
    }
    Ok(opened)
}

/// The file at `path`: sealed if its name ends with `.age`, by the key in the file `key`.
///
/// # Errors
/// There is no such key, or it cannot be used.
pub fn file(path: PathBuf, key: PathBuf) -> anyhow::Result<FileSecrets> {
    if path.extension().is_none_or(|extension| extension != "age") {
        return Ok(FileSecrets::new(path, None));
    }
    let found = Key::read(&key)?;
    let found = found.with_context(|| {
        format!(
            "{} needs a key, and there is no {}: give --secrets-key",
            path.display(),
            key.display()
        )
    })?;
    Ok(FileSecrets::new(path, Some(found)))
}

/// Says to the lattice which secrets this host has, whenever that changes; never what they are.
async fn say_names(held: Arc<Held>, member: Member) -> Result<(), Infallible> {
    let mut changes = held.changes();
    loop {
        changes.borrow_and_update();
        let names = SecretNames { process: member.process, names: held.ids() };
        let written = member.store.put(&names).await;
        let next = async {
            match written {
                Ok(_) => changes.changed().await.is_ok(),
                Err(_) => {
                    sleep(RETRY_PAUSE).await;
                    true
                }
            }
        };
        tokio::select! {
            // Cancel-safe, both.
            () = member.tasks.stopping() => return Ok(()),
            goes_on = next => if !goes_on { return Ok(()) },
        }
    }
}
