//! What is known of one object: what was ordered, what runs, what is being started, what failed.

use wicker_lattice::store::record::{Placement, RunState};

use super::{Attempt, Effect, Report, Spec};

#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) placement: Option<Placement>,
    pub(super) spec: Option<Spec>,
    /// The newest generation that any order for this object had.
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

    /// The status as it now is; `None` for an object that neither runs nor should.
    pub(super) fn report(&self) -> Option<Effect> {
        let report = match (&self.running, &self.starting, &self.failed) {
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
        Some(Effect::Report(report))
    }
}

impl Run {
    pub(super) fn report(&self, state: RunState, reason: Option<String>) -> Report {
        let object = self.spec.id().clone();
        Report { object, kind: self.spec.kind(), generation: self.spec.generation(), state, reason }
    }
}
