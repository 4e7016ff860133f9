//! Who may enter an actor: so many calls at once, so many waiting, and nobody once it drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};
use wicker_lattice::call::{CallError, Status};

use crate::config::Limits;

/// The door of one actor.
#[derive(Debug)]
pub(crate) struct Admission {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    queue: usize,
    concurrency: u32,
    is_draining: AtomicBool,
}

/// The right to run one call. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    _slot: Option<OwnedSemaphorePermit>,
}

impl Permit {
    /// For what runs beside the calls.
    pub(crate) fn beside() -> Self {
        Self { _slot: None }
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        let concurrency = u32::try_from(limits.concurrency).unwrap_or(u32::MAX).max(1);
        Self {
            running: Arc::new(Semaphore::new(concurrency as usize)),
            waiting: Semaphore::new(limits.queue.min(Semaphore::MAX_PERMITS)),
            queue: limits.queue.min(Semaphore::MAX_PERMITS),
            concurrency,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Waits for a free slot, until `deadline` at most.
    pub(crate) async fn admit(&self, deadline: Instant) -> Result<Permit, CallError> {
        if self.is_draining.load(Ordering::Relaxed) {
            return Err(draining());
        }
        match Arc::clone(&self.running).try_acquire_owned() {
            Ok(slot) => return Ok(Permit { _slot: Some(slot) }),
            Err(TryAcquireError::Closed) => return Err(draining()),
            Err(TryAcquireError::NoPermits) => {}
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(CallError::new(Status::Overloaded, "all slots and the queue are full"));
        };
        match timeout_at(deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(Permit { _slot: Some(slot) }),
            Ok(Err(_closed)) => Err(draining()),
            Err(_elapsed) => {
                // It waited and never ran: unlike a deadline that ends a call, this one is safe to repeat.
                Err(CallError::new(Status::Overloaded, "the deadline passed in the queue"))
            }
        }
    }

    /// How many calls run now.
    pub(crate) fn running(&self) -> usize {
        (self.concurrency as usize).saturating_sub(self.running.available_permits())
    }

    /// How many calls wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.saturating_sub(self.waiting.available_permits())
    }

    /// Refuses new calls from now on, and waits for those that run or wait already.
    pub(crate) async fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        // The semaphore is fair, so this comes after every call that waits. An error says that it is closed already.
        if let Ok(all) = self.running.acquire_many(self.concurrency).await {
            self.running.close();
            all.forget();
        }
    }
}

fn draining() -> CallError {
    CallError::new(Status::Draining, "the component is stopping")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(concurrency: usize, queue: usize) -> Admission {
        Admission::new(&Limits { concurrency, queue, ..Limits::default() })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_answers_overloaded_at_once() {
        let admission = admission(1, 0);
        let running = admission.admit(soon()).await.unwrap();
        let before = Instant::now();
        assert_eq!(admission.admit(soon()).await.unwrap_err().status, Status::Overloaded);
        assert_eq!(before, Instant::now());
        drop(running);
        assert!(admission.admit(soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_deadline() {
        let admission = admission(1, 1);
        let _running = admission.admit(soon()).await.unwrap();
        let error = admission.admit(soon()).await.unwrap_err();
        assert_eq!(error.status, Status::Overloaded);
        assert_eq!(admission.running(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_lets_in_who_waits_and_nobody_else() {
        let admission = Arc::new(admission(1, 1));
        let running = admission.admit(soon()).await.unwrap();
        let waiting = admission.admit(soon());
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        let drain = admission.drain();
        let mut drain = std::pin::pin!(drain);
        assert!(futures::poll!(drain.as_mut()).is_pending());
        assert_eq!(admission.admit(soon()).await.unwrap_err().status, Status::Draining);
        drop(running);
        drop(waiting.await.unwrap());
        drain.await;
        assert_eq!(admission.admit(soon()).await.unwrap_err().status, Status::Draining);
    }
}
