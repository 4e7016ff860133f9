//! The lattice's state in a file: what should be, and the components. Not what is, nor where it runs: that follows.
//!
//! `file` writes and reads the format, `put_back` adapts what was read to the lattice that it goes to.

mod file;
mod put_back;

pub use file::{Contents, read, read_image, write};
pub use put_back::{Restored, put_back};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Lattice, Placement, SecretsKey, Servers};

/// What a backup holds of the values of a lattice: all but those that belong to its machines and to files of theirs.
#[must_use]
pub fn worth_keeping(values: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let bare: BTreeSet<String> = values
        .values()
        .filter(|value| value.get("is_bare") == Some(&Value::Bool(true)))
        .filter_map(|value| Some(value.get("id")?.as_str()?.to_owned()))
        .collect();
    let is_bare =
        |field: Option<&Value>| field.and_then(Value::as_str).is_some_and(|id| bare.contains(id));
    let is_kept = |key: &str, value: &Value| {
        let kind = key.split('.').next().unwrap_or_default();
        ![Lattice::KIND, Placement::KIND, Servers::KIND, SecretsKey::KIND].contains(&kind)
            && !["id", "source", "target"].iter().any(|field| is_bare(value.get(*field)))
    };
    values.into_iter().filter(|(key, value)| is_kept(key, value)).collect()
}

/// The digests of the components that `values` name.
#[must_use]
pub fn images(values: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let components = values.iter().filter(|(key, _)| key.starts_with("component."));
    components.filter_map(|(_, value)| Some(value.get("digest")?.as_str()?.to_owned())).collect()
}
