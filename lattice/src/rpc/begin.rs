//! Begins calls, apart from the threads that read from NATS.
//!
//! A task for each call would cost more than most calls: its memory, and the wake-up of a thread. So there are as many
//! *beginners* as the runtime has threads. They take calls from one queue and poll each once: what ends at once, as
//! most calls do, never becomes a task; what waits for something becomes one. A call that keeps its thread busy keeps
//! one beginner busy, as its task would keep that thread, and the others go on.
//!
//! What serves briefly ([`crate::call::Invoke::is_brief`]) is polled that once by the thread that read it.

use std::sync::Arc;

use futures::FutureExt;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::admitted::Admitted;
use super::shared::Shared;

/// Calls that a beginner polls before the other tasks of its thread have a turn.
const TURN_LEN: usize = 32;

impl Shared {
    /// Starts as many beginners as can work at once.
    pub(super) fn start_beginners(self: &Arc<Self>) {
        for _ in 0..threads(&self.workers) {
            self.tasks.spawn_on(Arc::clone(self).begin_calls(), &self.workers);
        }
    }

    async fn begin_calls(self: Arc<Self>) {
        let mut begun: usize = 0;
        while let Some(admitted) = self.intake.next().await {
            self.begin(admitted);
            begun = begun.wrapping_add(1);
            if begun.is_multiple_of(TURN_LEN) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Begins a call that is brief; hands any other to a beginner, or ends it where this process stops.
    pub(super) fn let_in(self: &Arc<Self>, admitted: Admitted) {
        if self.serve.is_brief(&admitted.call.target) {
            // What it spawns, and whatever it waits for, belongs to the workers.
            let _workers = self.workers.enter();
            self.begin(admitted);
        } else if let Some(refused) = self.intake.push(admitted) {
            self.end_unbegun(refused);
        }
    }

    /// Nobody will begin it: it goes as a call that was cancelled.
    pub(super) fn end_unbegun(self: &Arc<Self>, admitted: Admitted) {
        admitted.running.cancel();
        self.begin(admitted);
    }

    /// Polls a call once, and makes it a task if it is not done.
    fn begin(self: &Arc<Self>, admitted: Admitted) {
        let mut call = Box::pin(Arc::clone(self).run(admitted));
        // Nothing waits for this poll to be woken: the task polls again.
        if call.as_mut().now_or_never().is_none() {
            self.tasks.spawn_on(call, &self.workers);
        }
    }
}

fn threads(workers: &Handle) -> usize {
    match workers.runtime_flavor() {
        RuntimeFlavor::CurrentThread => 1,
        _ => workers.metrics().num_workers(),
    }
}
