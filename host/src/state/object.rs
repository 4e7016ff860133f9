//! What is known of one object: what was ordered, what runs, what is being started, what failed.

use wicker_lattice::store::record::{Placement, RunState};

use super::{Attempt, Effect, Report, Spec};

#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) placement: Option<Placement>,
    pub(super) spec: Option<Spec>,
    /// The newest generation that any placement of this object had.
    pub(super) newest: u64,
    /// What serves.
    pub(super) running: Option<Run>,
    /// What is being started.
    pub(super) starting: Option<Run>,
    /// What could not be started, and waits for its pause or for another spec.
    pub(super) failed: Option<Failed>,
    pub(super) failures_in_a_row: u32,
    pub(super) waiting: Vec<String>,
    pub(super) ailment: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) attempt: Attempt,
    pub(super) spec: Spec,
}

#[derive(Debug)]
pub(super) struct Failed {
    pub(super) run: Run,
    pub(super) reason: String,
}

impl Object {
    /// Whether an order of that generation is an older one. Generation 0 is no application's, and in no order.
    pub(super) fn has_newer(&self, generation: u64) -> bool {
        generation > 0 && generation < self.newest
    }

    /// Whether what runs goes on until its placement orders the newest version: a rollout goes from host to host. What
    /// need not be started anew, and what does not run at all, waits for no turn.
    pub(super) fn awaits_its_turn(&self, newest: &Spec) -> bool {
        let ordered = self.placement.as_ref().map_or(0, |placement| placement.generation);
        let active = self.running.as_ref().or(self.starting.as_ref());
        ordered < newest.generation() && active.is_some_and(|run| !run.spec.runs_as(newest))
    }

    /// The status as it now is; `None` for an object that neither runs nor should.
    pub(super) fn report(&self) -> Option<Effect> {
        let mut report = match (&self.running, &self.starting, &self.failed) {
            (Some(run), _, Some(failed)) => run.report(
                RunState::Degraded,
                Some(format!("still the older one: {}", failed.reason)),
            ),
            (Some(run), _, None) if self.ailment.is_some() => {
                run.report(RunState::Degraded, self.ailment.clone())
            }
            (Some(run), _, None) if !self.waiting.is_empty() => {
                run.report(RunState::Pending, Some(self.waiting.join("; ")))
            }
            (Some(run), _, None) => run.report(RunState::Ready, None),
            (None, Some(run), _) => run.report(RunState::Starting, None),
            (None, None, Some(failed)) => {
                failed.run.report(RunState::Failed, Some(failed.reason.clone()))
            }
            (None, None, None) => return None,
        };
        report.failed_generation = self.failed.as_ref().map(|failed| failed.run.spec.generation());
        Some(Effect::Report(report))
    }
}

impl Run {
    pub(super) fn report(&self, state: RunState, reason: Option<String>) -> Report {
        let object = self.spec.id().clone();
        let (kind, generation) = (self.spec.kind(), self.spec.generation());
        Report { object, kind, generation, state, reason, failed_generation: None }
    }
}
