//! What is known of one object: what was ordered, what runs, what is being started, what failed.

use wicker_lattice::store::record::{Placement, RunState};

use super::{Attempt, Effect, Report, Spec, Unready};

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

/// What came of asking whether something is ready.
#[derive(Debug, Clone, Default)]
pub(super) struct Probed {
    /// Bad answers in a row.
    pub(super) failures: u32,
    /// The last of them.
    pub(super) why: Option<String>,
    /// There were too many: it takes no calls.
    pub(super) is_hidden: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) attempt: Attempt,
    pub(super) spec: Spec,
    /// What came of asking whether it is ready.
    pub(super) probed: Probed,
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

    /// What an attempt has started, or is starting.
    pub(super) fn run_mut(&mut self, attempt: Attempt) -> Option<&mut Run> {
        let runs = [self.running.as_mut(), self.starting.as_mut()];
        runs.into_iter().flatten().find(|run| run.attempt == attempt)
    }

    /// Takes no calls for what runs; whether that is news.
    pub(super) fn hide(&mut self) -> bool {
        let before = self.is_hidden();
        if let Some(run) = &mut self.running {
            run.probed.is_hidden = true;
        }
        !before
    }

    /// Whether what runs takes no calls because it is not ready.
    pub(super) fn is_hidden(&self) -> bool {
        self.running.as_ref().is_some_and(|run| run.probed.is_hidden)
    }

    /// The status as it now is; `None` for an object that neither runs nor should.
    pub(super) fn report(&self) -> Option<Effect> {
        let mut report = match (&self.running, &self.starting, &self.failed) {
            (Some(run), _, _) if run.probed.is_hidden => {
                run.report(RunState::Unready, run.probed.why.clone())
            }
            (Some(run), _, Some(failed)) => run.report(
                RunState::Degraded,
                Some(format!("still the older one: {}", failed.reason)),
            ),
            (Some(run), Some(newer), None) if newer.probed.why.is_some() => {
                let why = newer.probed.why.as_deref().unwrap_or_default();
                run.report(RunState::Ready, Some(format!("the newer one is not ready yet: {why}")))
            }
            (Some(run), _, None) if self.ailment.is_some() => {
                run.report(RunState::Degraded, self.ailment.clone())
            }
            (Some(run), _, None) if !self.waiting.is_empty() => {
                run.report(RunState::Pending, Some(self.waiting.join("; ")))
            }
            (Some(run), _, None) => run.report(RunState::Ready, None),
            (None, Some(run), _) => {
                let why = run.probed.why.as_ref().map(|why| format!("not ready yet: {why}"));
                run.report(RunState::Starting, why)
            }
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
    pub(super) fn new(attempt: Attempt, spec: Spec) -> Self {
        Self { attempt, spec, probed: Probed::default() }
    }

    /// Takes in that it is not ready; whether it has said so too often.
    pub(super) fn is_refused(&mut self, Unready { why, waits_for }: Unready) -> bool {
        if waits_for.is_empty() {
            self.probed.failures = self.probed.failures.saturating_add(1);
            self.probed.why = Some(why);
        } else {
            self.probed.why = Some(waits_for.join("; "));
        }
        self.probed.failures >= self.spec.probe_failures()
    }

    pub(super) fn report(&self, state: RunState, reason: Option<String>) -> Report {
        let object = self.spec.id().clone();
        let (kind, generation) = (self.spec.kind(), self.spec.generation());
        Report { object, kind, generation, state, reason, failed_generation: None }
    }
}
