//! Puts a backup into a lattice: everything or, where something is in the way, nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use wicker_lattice::store::record::{Application, Host};
use wicker_lattice::store::{Record as _, Store, StoreError};

use super::{Contents, read_image};

/// Keys that are named in an error at most.
const NAMED_MAX: usize = 5;

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// `team/name` of each application.
    pub applications: Vec<String>,
    /// Values that were not there yet.
    pub values: usize,
    /// Components.
    pub images: usize,
}

/// Puts `contents` of the backup at `path` into the lattice of `store`. Asked again after a failure, it goes on.
///
/// # Errors
/// Something else is there under the same name: nothing is written then. Or the lattice's state cannot be written.
pub async fn put_back(path: &Path, contents: &Contents, store: &Store) -> anyhow::Result<Restored> {
    let there = store.spec_values().await?;
    let hosts = store.list::<Host>(&Host::all()).await?;
    let hosts: BTreeSet<String> =
        hosts.iter().map(|host| host.record.process.to_string()).collect();
    let mut values = contents.values.clone();
    for (key, value) in &mut values {
        disown(key, value, &hosts);
    }
    for key in contents.values.keys().filter(|key| key.starts_with("application.")) {
        if !there.contains_key(key) {
            outdo(store, key, &mut values).await?;
        }
    }
    let in_the_way: Vec<&str> = values
        .iter()
        .filter(|(key, value)| there.get(*key).is_some_and(|found| !is_same(found, value)))
        .map(|(key, _)| key.as_str())
        .take(NAMED_MAX)
        .collect();
    if !in_the_way.is_empty() {
        bail!(
            "the lattice has something else at {}: undeploy it, or restore into another --lattice; nothing was written",
            in_the_way.join(", ")
        );
    }
    for (digest, place) in &contents.images {
        let image =
            read_image(path, *place).with_context(|| format!("cannot read {}", path.display()))?;
        let stored = store.put_image(&image).await?;
        ensure!(stored == *digest, "{} is damaged: {digest} is {stored}", path.display());
    }
    let written = create(store, &values).await?;
    let applications = values.keys().filter_map(|key| key.strip_prefix("application."));
    Ok(Restored {
        applications: applications.map(|key| key.replacen('.', "/", 1)).collect(),
        values: written,
        images: contents.images.len(),
    })
}

/// Writes what is not there: types before what needs them, and each application before its objects.
async fn create(store: &Store, values: &BTreeMap<String, Value>) -> anyhow::Result<usize> {
    let rank = |key: &str| match key.split('.').next() {
        Some("types") => 0,
        Some("application") => 1,
        _ => 2,
    };
    let mut values: Vec<_> = values.iter().collect();
    values.sort_by_key(|(key, _)| rank(key));
    let mut written = 0;
    for (key, value) in values {
        match store.create_spec_value(key, value).await {
            Ok(_) => written += 1,
            // It is the same, as was checked, or somebody deploys it just now.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}

/// An exclusive provider belongs to the host that has its data; where that is not in this lattice, to whoever starts it.
fn disown(key: &str, value: &mut Value, hosts: &BTreeSet<String>) {
    let owner = value.get("owner").and_then(Value::as_str);
    if key.starts_with("provider.") && owner.is_some_and(|owner| !hosts.contains(owner)) {
        set(value, "owner", Value::Null);
    }
}

/// Hosts refuse what is older than what they have seen of an application that was removed, so that it becomes newer.
async fn outdo(
    store: &Store,
    key: &str,
    values: &mut BTreeMap<String, Value>,
) -> anyhow::Result<()> {
    let history = store.history::<Application>(key).await?;
    let seen = history.iter().map(|entry| entry.record.generation).max().unwrap_or_default();
    let Some(application) = values.get(key).cloned() else { return Ok(()) };
    let ours = application.get("generation").and_then(Value::as_u64).unwrap_or_default();
    let more = (seen + 1).saturating_sub(ours);
    if more == 0 {
        return Ok(());
    }
    let objects =
        application.get("objects").and_then(Value::as_object).cloned().unwrap_or_default();
    let raised = |generation: Option<&Value>| {
        json!(generation.and_then(Value::as_u64).unwrap_or_default() + more)
    };
    for value in values.values_mut() {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        if objects.contains_key(id) {
            let generation = raised(value.get("generation"));
            set(value, "generation", generation);
        }
    }
    if let Some(application) = values.get_mut(key) {
        set(application, "generation", json!(ours + more));
        let objects = objects.iter().map(|(id, generation)| (id.clone(), raised(Some(generation))));
        set(application, "objects", Value::Object(objects.collect()));
    }
    Ok(())
}

/// Whether two values say the same; who owns a provider is not said by a backup.
fn is_same(one: &Value, other: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        set(&mut value, "owner", Value::Null);
        value
    };
    without(one) == without(other)
}

fn set(value: &mut Value, field: &str, to: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(field.to_owned(), to);
    }
}
