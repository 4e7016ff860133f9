//! Continuous requests, counted, while a test does something to the lattice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use integration_tests::{Web, eventually};
use tokio::task::JoinSet;

/// Requests under way until [`Load::finish`].
pub(crate) struct Load {
    tally: Arc<Tally>,
    callers: JoinSet<()>,
}

/// What came of them.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// The final count.
pub(crate) struct Outcome {
    /// Requests answered with 200.
    pub(crate) answered: u64,
    /// What the others got.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Starts `callers` loops of `GET path`, each to one of `addresses` in turn.
    pub(crate) fn start(web: &Web, addresses: &[SocketAddr], path: &str, callers: usize) -> Self {
        let tally = Arc::new(Tally::default());
        let mut set = JoinSet::new();
        for address in addresses.iter().cycle().take(callers) {
            set.spawn(call(web.clone(), *address, path.to_owned(), Arc::clone(&tally)));
        }
        Self { tally, callers: set }
    }

    /// Requests answered with 200 so far.
    pub(crate) fn answered(&self) -> u64 {
        self.tally.answered.load(Ordering::SeqCst)
    }

    /// Waits until `more` further requests were answered.
    pub(crate) async fn flows(&self, more: u64) {
        let until = self.answered() + more;
        eventually("requests flow", || async { (self.answered() >= until).then_some(()) }).await;
    }

    /// Stops, waits for what is under way, and counts.
    pub(crate) async fn finish(mut self) -> Outcome {
        self.tally.stop.store(true, Ordering::SeqCst);
        while self.callers.join_next().await.is_some() {}
        let failures = std::mem::take(&mut *self.tally.failures.lock().unwrap());
        Outcome { answered: self.answered(), failures }
    }
}

async fn call(web: Web, address: SocketAddr, path: String, tally: Arc<Tally>) {
    while !tally.stop.load(Ordering::SeqCst) {
        match web.get(address, &path).await {
            Ok(answer) if answer.status == 200 => {
                tally.answered.fetch_add(1, Ordering::SeqCst);
            }
            Ok(answer) => {
                tally.failures.lock().unwrap().push(format!("{}: {}", answer.status, answer.text()))
            }
            Err(error) => tally.failures.lock().unwrap().push(format!("{error:#}")),
        }
    }
}
