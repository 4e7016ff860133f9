//! A map that many tasks write, in shards with a lock each. No lock is ever held across an await.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A power of two, well above the number of threads.
const SHARDS: usize = 16;

/// Locks `mutex`. What it guards is whole between statements, so a panic elsewhere has broken nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A map keyed by what peers choose, hashed with a seed that they do not know.
pub(super) type Map<K, V> = HashMap<K, V, Seed>;

/// Makes hashes by multiplication: the keys are short, and looked up for each message.
#[derive(Clone, Copy)]
pub(super) struct Seed(u64);

pub(super) struct Folding(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(fastrand::u64(..))
    }
}

impl BuildHasher for Seed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(last) ^ ((rest.len() as u64) << 56));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        let (high, low) = (product >> 64, product & u128::from(u64::MAX));
        self.0 = u64::try_from(high ^ low).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(super) struct Table<K, V> {
    shards: [Mutex<Map<K, V>>; SHARDS],
    seed: Seed,
    len: AtomicUsize,
}

impl<K: Hash + Eq + Copy, V: Clone> Table<K, V> {
    pub(super) fn new() -> Self {
        let seed = Seed::default();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(seed)));
        Self { shards, seed, len: AtomicUsize::new(0) }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Map<K, V>> {
        // From the middle: the maps within use the bits at both ends.
        let index =
            usize::try_from((self.seed.hash_one(key) >> 32) & 0xffff).unwrap_or_default() % SHARDS;
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

    /// Looks at each, under a lock: `look` must not touch this table.
    pub(super) fn each(&self, mut look: impl FnMut(&K, &V)) {
        if self.len() > 0 {
            for shard in &self.shards {
                lock(shard).iter().for_each(|(key, value)| look(key, value));
            }
        }
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
