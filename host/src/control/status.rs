//! Writes what this host runs, as often as it takes: the latest word on each object, in its own key.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::Running;
use wicker_lattice::store::{Store, key};
use wicker_process::Tasks;

use crate::state::one_line;

/// Words that may wait; more than any host has objects.
const QUEUE: usize = 4096;

/// How long one write may take before it counts as failed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before what failed is written again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// One word about an object.
#[derive(Debug)]
pub enum StatusWrite {
    /// It is so.
    Put(Box<Running>),
    /// It does not run in that process any more.
    Delete(ObjectId, ProcessId),
    /// Answered once everything before it is written, or given up at the deadline.
    Flush(oneshot::Sender<()>),
}

/// Hands words to the task that writes them.
#[derive(Debug, Clone)]
pub struct Status(mpsc::Sender<StatusWrite>);

impl Status {
    /// Starts the task.
    #[must_use]
    pub fn start(store: Store, tasks: &Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tasks.spawn("status", write(store, receiver, tasks.clone()));
        Self(sender)
    }

    /// Writes soon. A queue that is full means that the lattice's state is away and thousands of changes wait; the
    /// newest is then dropped, and said again with the next change.
    pub fn write(&self, word: StatusWrite) {
        if self.0.try_send(word).is_err() {
            tracing::warn!("status not written: too many changes wait");
        }
    }

    /// Waits until everything said so far is written, at most `patience`.
    pub async fn flush(&self, patience: Duration) {
        let (done, flushed) = oneshot::channel();
        self.write(StatusWrite::Flush(done));
        let _ = timeout(patience, flushed).await;
    }
}

async fn write(
    store: Store,
    mut words: mpsc::Receiver<StatusWrite>,
    tasks: Tasks,
) -> Result<(), Infallible> {
    let mut pending: BTreeMap<String, Option<Box<Running>>> = BTreeMap::new();
    let mut waiting = Vec::new();
    loop {
        let word = if pending.is_empty() {
            waiting.drain(..).for_each(|done: oneshot::Sender<()>| _ = done.send(()));
            tokio::select! {
                // Cancel-safe, both.
                word = words.recv() => word,
                () = tasks.stopping() => return Ok(()),
            }
        } else {
            words.try_recv().ok()
        };
        match word {
            Some(StatusWrite::Put(running)) => {
                pending.insert(key::running(&running.object, running.process), Some(running));
                continue;
            }
            Some(StatusWrite::Delete(object, process)) => {
                pending.insert(key::running(&object, process), None);
                continue;
            }
            Some(StatusWrite::Flush(done)) => {
                waiting.push(done);
                continue;
            }
            None if pending.is_empty() => return Ok(()),
            None => {}
        }
        write_one(&store, &mut pending).await;
        if tasks.is_stopping() {
            return Ok(());
        }
    }
}

/// Writes the first of what is pending; what fails stays.
async fn write_one(store: &Store, pending: &mut BTreeMap<String, Option<Box<Running>>>) {
    let Some((key, word)) = pending.first_key_value() else { return };
    let written = timeout(WRITE_TIMEOUT, async {
        match word {
            Some(running) => store.put(running.as_ref()).await.map(|_| ()),
            None => store.delete::<Running>(key).await,
        }
    });
    match written.await {
        Ok(Ok(())) => {
            let key = key.clone();
            pending.remove(&key);
        }
        outcome => {
            let cause = match outcome {
                Ok(Err(error)) => one_line(&error),
                Ok(Ok(())) | Err(_) => "no answer".to_owned(),
            };
            tracing::debug!(key, cause, "status not written yet");
            sleep(RETRY_PAUSE.mul_f64(0.5 + fastrand::f64())).await;
        }
    }
}

/// When something last changed, for `since`.
#[derive(Debug, Clone)]
pub(super) struct Since {
    pub(super) state: wicker_lattice::store::record::RunState,
    pub(super) at: String,
}
