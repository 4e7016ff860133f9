//! Secrets in the lattice's own state: sealed before they leave whoever sets them, opened by the hosts that have the key,
//! when something there needs them.
//!
//! Each is a record ([`SealedSecret`]) of a JetStream key-value bucket, an age file for the lattice's key ([`SecretsKey`]).
//! What is sealed begins with the secret's own id, so that a record copied under another name opens as nothing. Everybody
//! who may write records may set a secret; only who has the key may read one. As durable as the lattice's state; a change
//! reaches every host with its watch, at once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use secrets::{Key, KeyError, Recipient};
use tokio::sync::{oneshot, watch};
use tracing::info;
use wicker_lattice::secret::{Secret, SecretError, SecretId, SecretSource};
use wicker_lattice::store::record::{SealedSecret, SecretsKey};
use wicker_lattice::store::{Change, Entry, Record as _, Store, StoreError, key};
use wicker_process::Tasks;
use zeroize::Zeroizing;

/// Secrets of the lattice cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsSecretsError {
    /// The lattice's state cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key file that was named is not there.
    #[error("there is no key file {}", .0.display())]
    Missing(PathBuf),
    /// No host has made a key yet.
    #[error("the lattice has no key to seal secrets for: start a host first (wicker up)")]
    NoKey,
}

/// Where a host's key may be.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    /// The file that the operator named. It must be there.
    pub given: Option<PathBuf>,
    /// The host's own, made where the lattice has no key yet.
    pub own: PathBuf,
}

/// The lattice's secrets, as one host sees them.
pub struct NatsSecrets {
    key: Option<Key>,
    /// For whom secrets are sealed, to say so where there is no key.
    recipient: String,
    sealed: RwLock<BTreeMap<SecretId, Sealed>>,
    changes: watch::Sender<u64>,
}

/// One, opened when somebody first needs it.
struct Sealed {
    record: SealedSecret,
    revision: u64,
    opened: OnceLock<Result<Secret, String>>,
}

impl NatsSecrets {
    /// Finds the host's key, or makes one where the lattice has none.
    ///
    /// # Errors
    /// See [`NatsSecretsError`].
    pub async fn open(store: &Store, files: &KeyFiles) -> Result<Arc<Self>, NatsSecretsError> {
        let mut key = match &files.given {
            Some(path) => {
                Some(Key::read(path)?.ok_or_else(|| NatsSecretsError::Missing(path.clone()))?)
            }
            None => Key::read(&files.own)?,
        };
        let recipient = match store.get::<SecretsKey>(key::SECRETS).await? {
            Some(entry) => entry.record.recipient,
            None => {
                let own = match key.take() {
                    Some(key) => key,
                    None => Key::make(&files.own)?,
                };
                let published = publish(store, &own).await?;
                key = Some(own);
                published
            }
        };
        if !key.as_ref().is_some_and(|key| key.opens(&recipient)) {
            info!(
                "this host has not the key of the lattice's secrets; `--secrets-key` gives it one"
            );
        }
        let (sealed, changes) = (RwLock::default(), watch::Sender::new(0));
        Ok(Arc::new(Self { key, recipient, sealed, changes }))
    }

    /// Follows the lattice's secrets until the tasks are asked to stop; `current` is told once all that were there have been
    /// read.
    ///
    /// # Errors
    /// Never.
    pub async fn follow(
        self: Arc<Self>,
        store: Store,
        tasks: Tasks,
        current: oneshot::Sender<()>,
    ) -> Result<(), Infallible> {
        let mut watch = store.watch::<SealedSecret>(&SealedSecret::all());
        let mut current = Some(current);
        loop {
            let change = tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                change = watch.next() => change,
            };
            match change {
                Change::Put(entry) => self.put(entry),
                Change::Deleted { key } => self.remove(&key),
                // Nobody waits any more, if this fails.
                Change::Current => _ = current.take().map(|current| current.send(())),
            }
        }
    }

    fn put(&self, entry: Entry<SealedSecret>) {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        let id = entry.record.id.clone();
        if sealed.get(&id).is_some_and(|known| known.revision >= entry.revision) {
            return;
        }
        let Entry { record, revision, .. } = entry;
        sealed.insert(id, Sealed { record, revision, opened: OnceLock::new() });
        drop(sealed);
        self.tell();
    }

    fn remove(&self, key: &str) {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        let before = sealed.len();
        sealed.retain(|_, each| each.record.key() != key);
        let is_gone = sealed.len() < before;
        drop(sealed);
        if is_gone {
            self.tell();
        }
    }

    fn tell(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    fn unseal(&self, record: &SealedSecret) -> Result<Secret, String> {
        let Some(key) = &self.key else {
            return Err(format!(
                "this host has no key for {}: start it with --secrets-key",
                self.recipient
            ));
        };
        unseal(key, record).map_err(|error| error.to_string())
    }
}

impl SecretSource for NatsSecrets {
    fn find(&self, id: &SecretId) -> Result<Secret, SecretError> {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        let found = sealed.get(id).ok_or_else(|| SecretError::Unknown(id.clone()))?;
        let opened = found.opened.get_or_init(|| self.unseal(&found.record));
        opened.clone().map_err(|cause| SecretError::Unreadable { id: id.clone(), cause })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl fmt::Debug for NatsSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSecrets").field("recipient", &self.recipient).finish_non_exhaustive()
    }
}

/// Says for whom secrets are sealed from now on, unless another host was first.
async fn publish(store: &Store, own: &Key) -> Result<String, NatsSecretsError> {
    let recipient = own.recipient().ok_or(NatsSecretsError::NoKey)?.to_string();
    match store.create(&SecretsKey { recipient: recipient.clone() }).await {
        Ok(_) => Ok(recipient),
        Err(StoreError::Conflict { .. }) => {
            let read = store.get::<SecretsKey>(key::SECRETS).await?;
            Ok(read.map_or(recipient, |entry| entry.record.recipient))
        }
        Err(error) => Err(error.into()),
    }
}

/// Seals a secret and writes it, over what it was. `at`: RFC 3339.
///
/// # Errors
/// See [`NatsSecretsError`].
pub async fn set(
    store: &Store,
    id: &SecretId,
    value: &Secret,
    at: String,
) -> Result<u64, NatsSecretsError> {
    let found = store.get::<SecretsKey>(key::SECRETS).await?;
    let recipient: Recipient = found.ok_or(NatsSecretsError::NoKey)?.record.recipient.parse()?;
    let mut plain = Zeroizing::new(named(id));
    plain.extend_from_slice(value.reveal());
    let record = SealedSecret { id: id.clone(), sealed: recipient.seal(&plain)?, set_at: at };
    Ok(store.put(&record).await?)
}

/// Removes a secret. `false`: there was none.
///
/// # Errors
/// The lattice's state cannot be reached.
pub async fn remove(store: &Store, id: &SecretId) -> Result<bool, NatsSecretsError> {
    let key = key::secret(id);
    let is_there = store.get::<SealedSecret>(&key).await?.is_some();
    if is_there {
        store.delete::<SealedSecret>(&key).await?;
    }
    Ok(is_there)
}

/// Which secrets there are; not what they are.
///
/// # Errors
/// The lattice's state cannot be reached.
pub async fn list(store: &Store) -> Result<Vec<Entry<SealedSecret>>, NatsSecretsError> {
    let mut all = store.list::<SealedSecret>(&SealedSecret::all()).await?;
    all.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    Ok(all)
}

/// What `record` holds.
///
/// # Errors
/// [`KeyError::Sealed`]: it is sealed for another key, or for another name.
pub fn unseal(key: &Key, record: &SealedSecret) -> Result<Secret, KeyError> {
    let plain = key.open(record.sealed.as_bytes())?;
    let value = plain.strip_prefix(named(&record.id).as_slice()).ok_or(KeyError::Sealed)?;
    Ok(Secret::new(value.to_vec()))
}

/// What a sealed value begins with.
fn named(id: &SecretId) -> Vec<u8> {
    format!("{id}\n").into_bytes()
}
