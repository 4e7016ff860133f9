//! Secrets as the lattice keeps them: sealed, so that only hosts that have its key can read them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::SecretId;

/// Key `secrets`: for whom secrets are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsKey {
    /// The public half of the key, as age writes it: `age1…`.
    pub recipient: String,
}

/// Key `secret.<team>.<name>`: one secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Whose, and its name.
    pub id: SecretId,
    /// Its id and value, encrypted: an armored age file.
    pub sealed: String,
    /// When it was set, RFC 3339.
    pub set_at: String,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Key `secret-names.<process>`: which secrets a host has besides the lattice's own, so that manifests can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNames {
    /// The host.
    pub process: crate::id::ProcessId,
    /// What it has.
    pub names: Vec<SecretId>,
}
