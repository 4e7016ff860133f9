//! Identities: of processes, calls, and the objects that users name.
//!
//! All are parsed once, at the edge, and are NATS-safe from then on.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// A process that sends or answers calls: a host, or a provider run outside a host.
///
/// Stable over restarts: a host keeps its own in its data directory, together with those of the providers it launches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(Ulid);

/// One start of a process. Tells a restarted process from the one it replaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(Ulid);

/// One call, from its first attempt to its last: retries keep it, so it is the idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(Ulid);

macro_rules! ulid_id {
    ($name:ident) => {
        impl $name {
            /// A new, unique id.
            #[must_use]
            pub fn generate() -> Self {
                Self(Ulid::new())
            }

            /// The id as it travels in frames.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// Reads an id from a frame.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Ulid::from_string(text)
                    .map(Self)
                    .map_err(|_| ParseIdError { text: text.to_owned() })
            }
        }
    };
}

ulid_id!(ProcessId);
ulid_id!(Incarnation);
ulid_id!(CallId);

/// The team that owns what nobody else claimed.
pub const DEFAULT_TEAM: &str = "default";

/// In whose name the HTTP listeners of hosts call components.
pub const LISTENER: &str = "default/http-server/http-server";

/// Bytes of one part of an object's id, at most: three fit a NATS subject with room for an interface.
pub const NAME_BYTES_MAX: usize = 63;

/// A component or provider: `team/application/name`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(Arc<str>);

impl ObjectId {
    /// Joins three names.
    ///
    /// # Errors
    /// A name is empty, longer than [`NAME_BYTES_MAX`], or holds anything but `a-z`, `0-9` and inner `-`.
    pub fn new(team: &str, application: &str, name: &str) -> Result<Self, ParseIdError> {
        format!("{team}/{application}/{name}").parse()
    }

    /// The object that a bare file or a builtin makes: application and name in one, in the default team.
    ///
    /// # Errors
    /// `name` is not a name, see [`ObjectId::new`].
    pub fn bare(name: &str) -> Result<Self, ParseIdError> {
        Self::new(DEFAULT_TEAM, name, name)
    }

    /// `team/application/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The team that owns it.
    #[must_use]
    pub fn team(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The application it belongs to.
    #[must_use]
    pub fn application(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// Its name within the application.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// The id as one NATS token. Names hold no `_`, so this joins with it.
    #[must_use]
    pub fn to_token(&self) -> String {
        self.0.replace('/', "_")
    }

    /// Reads what [`ObjectId::to_token`] wrote.
    ///
    /// # Errors
    /// `token` is not three names joined by `_`.
    pub fn from_token(token: &str) -> Result<Self, ParseIdError> {
        token.replace('_', "/").parse()
    }
}

impl FromStr for ObjectId {
    type Err = ParseIdError;

    /// Accepts the full form only; the shortenings that users may type are resolved against what exists, by the CLI.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut parts = text.split('/');
        let has_three = (0..3).all(|_| parts.next().is_some_and(is_name));
        if has_three && parts.next().is_none() {
            Ok(Self(text.into()))
        } else {
            Err(ParseIdError { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` may name a team, an application, a component, a provider or a lattice.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= NAME_BYTES_MAX
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read `{text}` as an id: names are 1 to 63 of a-z, 0-9 and inner hyphens, ids are team/application/name"
)]
pub struct ParseIdError {
    text: String,
}
