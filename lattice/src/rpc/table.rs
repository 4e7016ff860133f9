//! A map that many tasks write, in shards with a lock each. No lock is ever held across an await.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A power of two, well above the number of threads.
const SHARDS: usize = 16;

/// Locks `mutex`. What it guards is whole between statements, so a panic elsewhere has broken nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Table<K, V> {
    shards: [Mutex<HashMap<K, V>>; SHARDS],
    hasher: RandomState,
    len: AtomicUsize,
}

impl<K: Hash + Eq + Copy, V: Clone> Table<K, V> {
    pub(super) fn new() -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::new()));
        Self { shards, hasher: RandomState::new(), len: AtomicUsize::new(0) }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "a remainder of the number of shards")]
        lock(&self.shards[index])
    }

    /// How many there are; read without a lock, so a moment old.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Puts `value` there. `false`, and nothing changed, if the key is taken.
    pub(super) fn insert(&self, key: K, value: V) -> bool {
        let mut shard = self.shard(&key);
        if shard.contains_key(&key) {
            return false;
        }
        shard.insert(key, value);
        self.len.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// What is there; if nothing is, what `make` makes (nothing, if it refuses).
    pub(super) fn get_or_insert(&self, key: K, make: impl FnOnce() -> Option<V>) -> Option<V> {
        let mut shard = self.shard(&key);
        if let Some(value) = shard.get(&key) {
            return Some(value.clone());
        }
        let value = make()?;
        shard.insert(key, value.clone());
        self.len.fetch_add(1, Ordering::Relaxed);
        Some(value)
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        if self.len() == 0 {
            return None;
        }
        self.shard(key).get(key).cloned()
    }

    pub(super) fn remove(&self, key: &K) -> Option<V> {
        let removed = self.shard(key).remove(key);
        if removed.is_some() {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// A snapshot, for the ticker.
    pub(super) fn to_vec(&self) -> Vec<(K, V)> {
        let mut all = Vec::with_capacity(self.len());
        if self.len() > 0 {
            for shard in &self.shards {
                all.extend(lock(shard).iter().map(|(key, value)| (*key, value.clone())));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_stays() {
        let table = Table::new();
        assert!(table.insert(1, "a"));
        assert!(!table.insert(1, "b"));
        assert_eq!(table.get_or_insert(1, || Some("c")), Some("a"));
        assert_eq!(table.get_or_insert(2, || None), None);
        assert_eq!(table.len(), 1);
        assert_eq!(table.remove(&1), Some("a"));
        assert_eq!(table.remove(&1), None);
        assert_eq!(table.len(), 0);
    }
}
