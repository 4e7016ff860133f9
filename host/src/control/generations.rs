//! The newest generation that this host has seen of each object, kept over its restarts: a record that is older than what
//! ran here before does not come back, whoever writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wicker_lattice::id::ObjectId;

/// The file and what is in it.
#[derive(Debug)]
pub(super) struct Generations {
    file: PathBuf,
    kept: Kept,
}

/// What the file says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Of the lattice's state that these were seen in; they mean nothing in another.
    epoch: String,
    newest: BTreeMap<ObjectId, u64>,
}

impl Generations {
    /// Reads the file. One that is missing, damaged or of another state holds nothing.
    pub(super) fn read(file: PathBuf, epoch: &str) -> Self {
        let text = std::fs::read(&file).unwrap_or_default();
        let kept: Option<Kept> = serde_json::from_slice(&text).ok();
        if kept.is_none() && !text.is_empty() {
            tracing::warn!("{} is damaged, and begun anew", file.display());
        }
        let kept = kept.filter(|kept| kept.epoch == epoch);
        let empty = Kept { epoch: epoch.to_owned(), newest: BTreeMap::new() };
        Self { file, kept: kept.unwrap_or(empty) }
    }

    /// What was seen before.
    pub(super) fn newest(&self) -> &BTreeMap<ObjectId, u64> {
        &self.kept.newest
    }

    /// Writes the file if anything is new. It is small, and changes with deployments only: the task that decides may
    /// wait for it.
    pub(super) fn keep<'a>(&mut self, newest: impl Iterator<Item = (&'a ObjectId, u64)>) {
        let newest: BTreeMap<ObjectId, u64> =
            newest.map(|(id, generation)| (id.clone(), generation)).collect();
        if newest == self.kept.newest {
            return;
        }
        self.kept.newest = newest;
        if let Err(error) = self.write() {
            tracing::warn!("cannot write {}: {error}", self.file.display());
        }
    }

    /// Written beside and renamed, so that a crash in between leaves the older one.
    fn write(&self) -> std::io::Result<()> {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&self.kept)?)?;
        std::fs::rename(&fresh, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_again_in_the_same_state_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("generations.json");
        let id: ObjectId = "t/a/c".parse().unwrap();
        Generations::read(file.clone(), "one").keep([(&id, 7)].into_iter());
        assert_eq!(Generations::read(file.clone(), "one").newest()[&id], 7);
        assert!(Generations::read(file.clone(), "two").newest().is_empty());
        std::fs::write(&file, "{").unwrap();
        assert!(Generations::read(file, "one").newest().is_empty());
    }
}
