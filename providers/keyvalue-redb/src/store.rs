//! The file: reads on blocking threads, and one thread that writes.
//!
//! The writer takes every change that waits, applies them in one transaction, and answers them when the disk has it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use keyvalue::{Failure, Page, Swap, Version, number};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition};
use tokio::sync::{mpsc, oneshot};
use wicker_provider::ProviderError;

/// By bucket and key: the version, which no later write has again, and the value.
const VALUES: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("values");

/// The last version given.
const COUNTER: TableDefinition<'_, (), u64> = TableDefinition::new("counter");

/// Keys in one page.
const PAGE: usize = 1_000;

/// Changes that one transaction carries at most, so that the first does not wait for too many others.
const TRANSACTION_MAX: usize = 1_024;

/// Changes that wait for the writer before callers do.
const QUEUE: usize = 4_096;

const BUCKET_BYTES_MAX: usize = 255;
const KEY_BYTES_MAX: usize = 1_024;
const CACHE_BYTES: usize = 64 << 20;

/// A key in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    bucket: String,
    key: String,
}

impl Place {
    pub(crate) fn new(bucket: String, key: &str) -> Result<Self, Failure> {
        if bucket.len() > BUCKET_BYTES_MAX {
            return Err(Failure::Other(format!(
                "a bucket's name has at most {BUCKET_BYTES_MAX} bytes"
            )));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(Failure::Other(format!("a key has at most {KEY_BYTES_MAX} bytes")));
        }
        Ok(Self { bucket, key: key.to_owned() })
    }

    fn as_key(&self) -> (&str, &str) {
        (&self.bucket, &self.key)
    }
}

/// One change.
#[derive(Debug)]
pub(crate) enum Change {
    Set(Place, Bytes),
    Delete(Place),
    Add(Place, i64),
    Swap(Place, Version, Bytes),
}

/// What a change came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    Sum(i64),
    Swapped(Swap),
}

type Answer = Result<Outcome, Failure>;

/// Changes that belong together, and who waits for them. The answer is that of the last one.
struct Job {
    changes: Vec<Change>,
    answer: oneshot::Sender<Answer>,
}

/// The open file.
pub(crate) struct Store {
    database: Arc<Database>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Why the last transaction failed, if it did.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Store {
    pub(crate) async fn open(
        path: PathBuf,
        cache_bytes: Option<usize>,
    ) -> Result<Self, ProviderError> {
        let attempt = format!("cannot open {}", path.display());
        let cache_bytes = cache_bytes.unwrap_or(CACHE_BYTES);
        let opened = tokio::task::spawn_blocking(move || create(&path, cache_bytes)).await;
        let database = match opened {
            Ok(Ok(database)) => Arc::new(database),
            Ok(Err(error)) => return Err(ProviderError::backend(attempt, error)),
            Err(error) => return Err(ProviderError::backend(attempt, error)),
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let trouble = Arc::default();
        let writer = Writer { database: Arc::clone(&database), trouble: Arc::clone(&trouble) };
        let thread = std::thread::Builder::new().name("redb writer".to_owned());
        let writer = thread.spawn(move || writer.run(queue));
        let writer = writer.map_err(|error| ProviderError::backend(attempt, error))?;
        Ok(Self { database, jobs: Some(jobs), writer: Some(writer), trouble })
    }

    pub(crate) fn health(&self) -> Result<(), ProviderError> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        trouble.map_or(Ok(()), |why| Err(ProviderError::backend("the last write failed", why)))
    }

    pub(crate) async fn get(&self, place: Place) -> Result<Option<(Bytes, Bytes)>, Failure> {
        self.read(move |database| {
            let table = database.begin_read()?.open_table(VALUES)?;
            let found = table.get(place.as_key())?;
            Ok(found.map(|found| {
                let (version, value) = found.value();
                (version_bytes(version), Bytes::copy_from_slice(value))
            }))
        })
        .await
    }

    pub(crate) async fn get_many(&self, places: Vec<Place>) -> Result<Vec<Option<Bytes>>, Failure> {
        self.read(move |database| {
            let table = database.begin_read()?.open_table(VALUES)?;
            let get = |place: &Place| {
                let found = table.get(place.as_key())?;
                Ok(found.map(|found| Bytes::copy_from_slice(found.value().1)))
            };
            places.iter().map(get).collect()
        })
        .await
    }

    pub(crate) async fn keys(&self, bucket: Place, cursor: u64) -> Result<Page, Failure> {
        self.read(move |database| {
            let table = database.begin_read()?.open_table(VALUES)?;
            let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
            let mut page = Page::default();
            for (at, entry) in table.range(bucket.as_key()..)?.enumerate() {
                let (key, _) = entry?;
                let (of, key) = key.value();
                if of != bucket.bucket {
                    break;
                }
                if at >= skip && page.keys.len() == PAGE {
                    page.cursor = Some(cursor + PAGE as u64);
                    break;
                }
                if at >= skip {
                    page.keys.push(key.to_owned());
                }
            }
            Ok(page)
        })
        .await
    }

    pub(crate) async fn change(&self, changes: Vec<Change>) -> Answer {
        let gone = || Failure::Other("the store is closing".to_owned());
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { changes, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    pub(crate) async fn increment(&self, place: Place, delta: i64) -> Result<i64, Failure> {
        match self.change(vec![Change::Add(place, delta)]).await? {
            Outcome::Sum(sum) => Ok(sum),
            _ => Err(Failure::Other("the writer answered another question".to_owned())),
        }
    }

    pub(crate) async fn swap(
        &self,
        place: Place,
        expected: Version,
        value: Bytes,
    ) -> Result<Swap, Failure> {
        match self.change(vec![Change::Swap(place, expected, value)]).await? {
            Outcome::Swapped(swap) => Ok(swap),
            _ => Err(Failure::Other("the writer answered another question".to_owned())),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let database = Arc::clone(&self.database);
        let read = tokio::task::spawn_blocking(move || read(&database)).await;
        match read {
            Ok(read) => read.map_err(|error| Failure::other("cannot read", error)),
            Err(error) => Err(Failure::other("cannot read", error)),
        }
    }
}

/// Ends the writer, so that whoever opens the file next finds it closed.
impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // It only fails by a panic, which has been logged.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

fn create(path: &std::path::Path, cache_bytes: usize) -> Result<Database, redb::Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let database = Database::builder().set_cache_size(cache_bytes).create(path)?;
    let transaction = database.begin_write()?;
    transaction.open_table(VALUES)?;
    transaction.open_table(COUNTER)?;
    transaction.commit()?;
    Ok(database)
}

fn version_bytes(version: u64) -> Bytes {
    Bytes::copy_from_slice(&version.to_be_bytes())
}

/// The thread that writes.
struct Writer {
    database: Arc<Database>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Writer {
    fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while queue.blocking_recv_many(&mut jobs, TRANSACTION_MAX) > 0 {
            let (changes, waiting): (Vec<_>, Vec<_>) =
                jobs.drain(..).map(|job| (job.changes, job.answer)).unzip();
            let result = self.transaction(changes);
            let trouble = result.as_ref().err().map(ToString::to_string);
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
            let failed = |error: &redb::Error| Err(Failure::other("cannot write", error));
            match result {
                Ok(answers) => {
                    for (answer, waiting) in answers.into_iter().zip(waiting) {
                        // Who no longer waits has given up; the change stands.
                        let _ = waiting.send(answer);
                    }
                }
                Err(error) => {
                    waiting.into_iter().for_each(|waiting| _ = waiting.send(failed(&error)))
                }
            }
        }
    }

    /// Applies jobs in one transaction. An answer is good only when this has returned.
    fn transaction(&self, jobs: Vec<Vec<Change>>) -> Result<Vec<Answer>, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut answers = Vec::with_capacity(jobs.len());
        {
            let mut counter = transaction.open_table(COUNTER)?;
            let version = counter.get(())?.map_or(0, |version| version.value());
            let mut values = Values { table: transaction.open_table(VALUES)?, version };
            for changes in jobs {
                let mut answer = Ok(Outcome::Done);
                for change in changes {
                    answer = values.apply(change)?;
                }
                answers.push(answer);
            }
            counter.insert((), values.version)?;
        }
        transaction.commit()?;
        Ok(answers)
    }
}

/// The values within a transaction.
struct Values<'a> {
    table: Table<'a, (&'static str, &'static str), (u64, &'static [u8])>,
    version: u64,
}

impl Values<'_> {
    fn apply(&mut self, change: Change) -> Result<Answer, redb::Error> {
        match change {
            Change::Set(place, value) => self.put(&place, &value)?,
            Change::Delete(place) => _ = self.table.remove(place.as_key())?,
            Change::Add(place, delta) => {
                let sum =
                    number::add(self.get(&place)?.as_ref().map(|(_, value)| value.as_ref()), delta);
                return match sum {
                    Ok((sum, text)) => self.put(&place, &text).map(|()| Ok(Outcome::Sum(sum))),
                    Err(failure) => Ok(Err(failure)),
                };
            }
            Change::Swap(place, expected, value) => {
                let found = self.get(&place)?.map(|(version, _)| version_bytes(version));
                if found != expected {
                    return Ok(Ok(Outcome::Swapped(Swap::Changed(found))));
                }
                self.put(&place, &value)?;
                return Ok(Ok(Outcome::Swapped(Swap::Done)));
            }
        }
        Ok(Ok(Outcome::Done))
    }

    fn get(&self, place: &Place) -> Result<Option<(u64, Bytes)>, redb::Error> {
        let found = self.table.get(place.as_key())?;
        Ok(found.map(|found| {
            let (version, value) = found.value();
            (version, Bytes::copy_from_slice(value))
        }))
    }

    fn put(&mut self, place: &Place, value: &[u8]) -> Result<(), redb::Error> {
        self.version += 1;
        self.table.insert(place.as_key(), (self.version, value))?;
        Ok(())
    }
}
