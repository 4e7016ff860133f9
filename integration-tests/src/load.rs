//! Continuous requests, counted, while a test does something to the lattice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Web, eventually};
use tokio::task::JoinSet;

/// Requests under way until [`Load::finish`].
#[derive(Debug)]
pub struct Load {
    tally: Arc<Tally>,
    callers: JoinSet<()>,
}

/// What came of them.
#[derive(Debug, Default)]
struct Tally {
    stop: AtomicBool,
    begun: AtomicU64,
    answered: AtomicU64,
    under_way: Mutex<HashMap<u64, Instant>>,
    finished: Mutex<Vec<Finished>>,
    failures: Mutex<Vec<String>>,
}

/// When one request was under way.
#[derive(Debug, Clone)]
pub struct Finished {
    /// It was sent.
    pub begun: Instant,
    /// It was answered, or failed.
    pub ended: Instant,
    /// It was answered with 200.
    pub is_accepted: bool,
}

/// The final count.
#[derive(Debug)]
pub struct Outcome {
    /// Requests answered with 200.
    pub answered: u64,
    /// What the others got.
    pub failures: Vec<String>,
    /// All requests, however they ended.
    pub finished: Vec<Finished>,
}

impl Load {
    /// Starts `callers` loops of `GET path`, each to one of `addresses` in turn.
    pub fn start(web: &Web, addresses: &[SocketAddr], path: &str, callers: usize) -> Self {
        let tally = Arc::new(Tally::default());
        let mut set = JoinSet::new();
        for address in addresses.iter().cycle().take(callers) {
            set.spawn(call(web.clone(), *address, path.to_owned(), Arc::clone(&tally)));
        }
        Self { tally, callers: set }
    }

    /// Requests answered with 200 so far.
    pub fn answered(&self) -> u64 {
        self.tally.answered.load(Ordering::SeqCst)
    }

    /// Waits until `more` further requests were answered.
    pub async fn flows(&self, more: u64) {
        let until = self.answered() + more;
        eventually("requests flow", || async { (self.answered() >= until).then_some(()) }).await;
    }

    /// Waits until a request has been under way for so long.
    pub async fn hangs(&self, how_long: Duration) {
        eventually("a request hangs", || async {
            let under_way = self.tally.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.values().any(|begun| begun.elapsed() >= how_long).then_some(())
        })
        .await;
    }

    /// Waits until a request has ended that began after `moment`.
    pub async fn passes(&self, moment: Instant) {
        eventually("requests begin later", || async {
            let finished = self.tally.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.iter().any(|call| call.begun > moment).then_some(())
        })
        .await;
    }

    /// Stops, waits for what is under way, and counts.
    pub async fn finish(mut self) -> Outcome {
        self.tally.stop.store(true, Ordering::SeqCst);
        while self.callers.join_next().await.is_some() {}
        let failures = std::mem::take(
            &mut *self.tally.failures.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let finished = std::mem::take(
            &mut *self.tally.finished.lock().unwrap_or_else(PoisonError::into_inner),
        );
        Outcome { answered: self.answered(), failures, finished }
    }
}

async fn call(web: Web, address: SocketAddr, path: String, tally: Arc<Tally>) {
    while !tally.stop.load(Ordering::SeqCst) {
        let (number, begun) = (tally.begun.fetch_add(1, Ordering::SeqCst), Instant::now());
        tally.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(number, begun);
        let answer = web.get(address, &path).await;
        tally.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        let is_accepted = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        let ended = Instant::now();
        tally.finished.lock().unwrap_or_else(PoisonError::into_inner).push(Finished {
            begun,
            ended,
            is_accepted,
        });
        match answer {
            Ok(answer) if answer.status == 200 => {
                tally.answered.fetch_add(1, Ordering::SeqCst);
            }
            Ok(answer) => tally
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("{}: {}", answer.status, answer.text())),
            Err(error) => tally
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("{error:#}")),
        }
    }
}
