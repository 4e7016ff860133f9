//! Owns every background task of a process, so that none outlives it or dies unseen.
//!
//! Shutdown has two steps: [`Tasks::drain`] asks each task to finish, then waits. Work in flight gets the whole grace
//! period; what is left after it is abandoned and counted in the error.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info_span};

/// The tasks of one process, or of one part of it that stops by itself. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Some tasks were still running when the grace period ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{still_running} tasks still running after {grace:?}")]
pub struct DrainError {
    /// How many were abandoned.
    pub still_running: usize,
    /// How long they were given.
    pub grace: Duration,
}

impl Tasks {
    /// A set of tasks of its own that is asked to stop when this one is. Draining it leaves this one running.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }

    /// Starts one of the process's loops, which must end soon after [`Tasks::stopping`] resolves.
    ///
    /// A loop that fails stops the whole process: a host that has lost one must not look healthy.
    pub fn spawn<E>(
        &self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Error + Send + 'static,
    {
        let stop = self.stop.clone();
        let run = async move {
            if let Err(failure) = task.await {
                error!(error = &failure as &dyn Error, task = name, "task failed");
                stop.cancel();
            }
        };
        self.tracker.spawn(run.instrument(info_span!("task", name)));
    }

    /// Starts a piece of work that ends by itself and cannot fail, such as the answer to one call.
    ///
    /// The span of the caller is not inherited: this is for work by the hundred thousand a second.
    pub fn spawn_work(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(work);
    }

    /// Resolves when the process is asked to stop, or when a task has failed.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether [`Tasks::stopping`] has resolved.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Asks every task to stop, without waiting.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks every task to stop and waits at most `grace` for them.
    ///
    /// # Errors
    /// Tasks were still running after `grace`; they are abandoned, not joined.
    pub async fn drain(&self, grace: Duration) -> Result<(), DrainError> {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait())
            .await
            .map_err(|_| DrainError { still_running: self.tracker.len(), grace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_work_in_flight() {
        let tasks = Tasks::default();
        let stopping = tasks.clone();
        tasks.spawn("slow", async move {
            stopping.stopping().await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok::<(), std::io::Error>(())
        });
        assert_eq!(tasks.drain(Duration::from_secs(5)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn drain_gives_up_after_the_grace_period() {
        let tasks = Tasks::default();
        tasks.spawn("stuck", std::future::pending::<Result<(), std::io::Error>>());
        let error = tasks.drain(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "1 tasks still running after 5s");
    }

    #[tokio::test]
    async fn failed_task_stops_the_process() {
        let tasks = Tasks::default();
        tasks.spawn("broken", async { Err(std::io::Error::other("no disk")) });
        tasks.stopping().await;
    }

    #[tokio::test(start_paused = true)]
    async fn child_stops_with_its_parent_and_not_the_other_way_round() {
        let parent = Tasks::default();
        let child = parent.child();
        child.drain(Duration::from_secs(1)).await.unwrap();
        assert!(!parent.is_stopping());
        let child = parent.child();
        parent.stop();
        child.stopping().await;
    }
}
