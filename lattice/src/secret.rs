//! Secrets: values that are held in memory by whoever needs them, and that nothing writes down in the clear.
//!
//! Records, statuses, events and logs name a secret by its [`SecretId`]; only a [`SecretSource`], which the host makes of
//! what its operator gave it, turns that into a [`Secret`]. A source follows what is behind it, so that whoever asks
//! again after [`SecretSource::changes`] has the new value. Where sources read from is no concern of this module.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::id::{self, DEFAULT_TEAM};

/// Bytes of one secret at most: keys, certificates and passwords are far smaller.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// Characters of a secret's name at most.
const NAME_LEN_MAX: usize = 128;

/// The value of a secret. Cheap to clone; overwritten in memory when the last clone goes. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// Its bytes, in the clear.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Its text, in the clear; `None` where it is no UTF-8.
    #[must_use]
    pub fn reveal_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Which secret: the team that it belongs to, and its name there. `team/name` as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId {
    team: String,
    name: String,
}

/// A text names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no secret: a name is 1 to 128 of a-z, A-Z, 0-9, `.`, `_` and `-`, after `TEAM/` if it is another team's"
)]
pub struct SecretIdError(String);

impl SecretId {
    /// The secret `name` of `team`.
    ///
    /// # Errors
    /// One of the two is no name.
    pub fn new(team: &str, name: &str) -> Result<Self, SecretIdError> {
        if id::is_name(team) && is_secret_name(name) {
            return Ok(Self { team: team.to_owned(), name: name.to_owned() });
        }
        Err(SecretIdError(format!("{team}/{name}")))
    }

    /// The team whose components and providers may have it.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// Its name in that team.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Whether `name` can name a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_LEN_MAX && name.bytes().all(is_part)
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.team, self.name)
    }
}

/// `team/name`, or a name alone for the team `default`.
impl FromStr for SecretId {
    type Err = SecretIdError;

    fn from_str(text: &str) -> Result<Self, SecretIdError> {
        let (team, name) = text.split_once('/').unwrap_or((DEFAULT_TEAM, text));
        Self::new(team, name).map_err(|_| SecretIdError(text.to_owned()))
    }
}

impl TryFrom<String> for SecretId {
    type Error = SecretIdError;

    fn try_from(text: String) -> Result<Self, SecretIdError> {
        text.parse()
    }
}

impl From<SecretId> for String {
    fn from(id: SecretId) -> Self {
        id.to_string()
    }
}

/// A secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none of that name.
    #[error("there is no secret `{0}`")]
    Unknown(SecretId),
    /// There is one, and it cannot be read here.
    #[error("the secret `{id}` cannot be read: {cause}")]
    Unreadable {
        /// Which.
        id: SecretId,
        /// Why, for the operator. Never a part of the value.
        cause: String,
    },
}

/// Where a process has its secrets from. Answers from memory.
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// What `id` is now.
    ///
    /// # Errors
    /// See [`SecretError`].
    fn find(&self, id: &SecretId) -> Result<Secret, SecretError>;

    /// A number that is another one whenever some secret may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// A source of values that somebody else puts there.
#[derive(Debug)]
pub struct Held {
    values: RwLock<BTreeMap<SecretId, Secret>>,
    changes: watch::Sender<u64>,
}

impl Default for Held {
    fn default() -> Self {
        Self { values: RwLock::default(), changes: watch::Sender::new(0) }
    }
}

impl Held {
    /// Holds these from now on, and no others. Tells nobody where that changes nothing.
    pub fn replace(&self, values: BTreeMap<SecretId, Secret>) {
        let mut held = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if *held != values {
            *held = values;
            drop(held);
            self.changes.send_modify(|number| *number += 1);
        }
    }

    /// Which it holds.
    #[must_use]
    pub fn ids(&self) -> Vec<SecretId> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl SecretSource for Held {
    fn find(&self, id: &SecretId) -> Result<Secret, SecretError> {
        let held = self.values.read().unwrap_or_else(PoisonError::into_inner);
        held.get(id).cloned().ok_or_else(|| SecretError::Unknown(id.clone()))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_team_and_name() {
        let id: SecretId = "shop/db-password".parse().unwrap();
        assert_eq!((id.team(), id.name()), ("shop", "db-password"));
        assert_eq!("API_KEY".parse::<SecretId>().unwrap().to_string(), "default/API_KEY");
        for wrong in ["", "a/b/c", "a b", "Shop/x", "shop/", "ä"] {
            assert!(wrong.parse::<SecretId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_value_is_ever_printed() {
        let held = Held::default();
        let id: SecretId = "key".parse().unwrap();
        held.replace(BTreeMap::from([(id.clone(), Secret::new(b"hunter2".to_vec()))]));
        assert!(!format!("{held:?} {:?}", held.find(&id)).contains("hunter2"));
        assert_eq!(held.find(&id).unwrap().reveal_text(), Some("hunter2"));
    }

    #[test]
    fn only_what_changes_is_told() {
        let held = Held::default();
        let mut changes = held.changes();
        let values = || BTreeMap::from([("a".parse().unwrap(), Secret::new(vec![1]))]);
        held.replace(values());
        assert!(changes.has_changed().unwrap());
        changes.borrow_and_update();
        held.replace(values());
        assert!(!changes.has_changed().unwrap());
        held.replace(BTreeMap::new());
        assert!(changes.has_changed().unwrap());
    }
}
