//! Where calls that were let in wait for whoever begins them.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Semaphore;

use super::table::lock;

/// Calls that nobody has begun. They count as served, which bounds them: [`super::RpcConfig::in_flight_max`].
pub(super) struct Intake<T> {
    queue: Mutex<VecDeque<T>>,
    /// A permit for each call, so that each wakes one beginner that rests. It is the pusher that wakes: a beginner that
    /// woke another would have it wait behind itself, on its own thread.
    filled: Semaphore,
}

impl<T> Intake<T> {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), filled: Semaphore::new(0) }
    }

    /// Hands a call to whoever begins it; never waits. Gives it back where nobody will.
    pub(super) fn push(&self, call: T) -> Option<T> {
        let mut queue = lock(&self.queue);
        if self.filled.is_closed() {
            return Some(call);
        }
        queue.push_back(call);
        drop(queue);
        self.filled.add_permits(1);
        None
    }

    /// Takes no more, and gives back what nobody has begun.
    pub(super) fn close(&self) -> VecDeque<T> {
        let mut queue = lock(&self.queue);
        self.filled.close();
        std::mem::take(&mut queue)
    }

    /// The next call, as soon as there is one; `None` once this is closed. Cancel-safe.
    pub(super) async fn next(&self) -> Option<T> {
        self.filled.acquire().await.ok()?.forget();
        lock(&self.queue).pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_begun_in_order() {
        let intake = Intake::new();
        for call in 0..3 {
            assert_eq!(intake.push(call), None);
        }
        for call in 0..3 {
            assert_eq!(intake.next().await, Some(call));
        }
    }

    #[tokio::test]
    async fn every_call_wakes_a_beginner_that_rests() {
        let intake = Intake::new();
        let push = async {
            tokio::task::yield_now().await;
            intake.push(1);
            intake.push(2);
        };
        let (one, other, ()) = tokio::join!(intake.next(), intake.next(), push);
        assert_eq!([one, other], [Some(1), Some(2)]);
    }

    #[tokio::test]
    async fn closed_intake_gives_everything_back() {
        let intake = Intake::new();
        intake.push("unbegun");
        assert_eq!(intake.close(), ["unbegun"]);
        assert_eq!(intake.push("late"), Some("late"));
        assert_eq!(intake.next().await, None);
    }
}
