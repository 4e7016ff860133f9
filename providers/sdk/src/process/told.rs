//! What the host tells a provider's process of secrets: values, over the pipe that only the two of them have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use wicker_lattice::secret::{Held, Secret, SecretId};
use zeroize::Zeroize as _;

/// The values of all secrets that a provider needs, in base64. Overwritten in memory when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretValues(BTreeMap<SecretId, String>);

/// A line on standard input after the first: all values anew, because one has changed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Instead of those that were told before.
    pub secrets: SecretValues,
}

impl SecretValues {
    /// These.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (SecretId, Secret)>) -> Self {
        let encode = |(id, value): (SecretId, Secret)| (id, STANDARD.encode(value.reveal()));
        Self(values.into_iter().map(encode).collect())
    }

    /// Puts them in place of what `held` holds.
    pub fn tell(&self, held: &Arc<Held>) {
        let decode = |(id, text): (&SecretId, &String)| {
            Some((id.clone(), Secret::new(STANDARD.decode(text).ok()?)))
        };
        held.replace(self.0.iter().filter_map(decode).collect());
    }
}

impl Drop for SecretValues {
    fn drop(&mut self) {
        self.0.values_mut().for_each(String::zeroize);
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
