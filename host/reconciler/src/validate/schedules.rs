//! Whether components can be called when their schedules are due.

use wicker_lattice::store::record::Schedule;

use super::Batch;
use crate::diagnostic::Problems;
use crate::known::is_schedule_export;
use crate::manifest::{self, Manifest};

impl Batch<'_> {
    /// The records of a manifest's schedules. Since when each is as it is, is the planner's to say: 0 here.
    pub(super) fn schedules(&self, manifest: &Manifest, problems: &mut Problems) -> Vec<Schedule> {
        let record = |each| self.schedule(manifest, each, problems);
        manifest.schedules.iter().filter_map(record).collect()
    }

    fn schedule(
        &self,
        manifest: &Manifest,
        schedule: &manifest::Schedule,
        problems: &mut Problems,
    ) -> Option<Schedule> {
        let target = manifest.id(&schedule.target.value)?;
        if let Some(world) = self.world(&target)
            && !world.exports.keys().any(is_schedule_export)
        {
            let message = format!(
                "`{}` cannot be called by a schedule: it does not export wicker:schedule/handler",
                schedule.target.value
            );
            problems.error(&manifest.source, schedule.target.span, message, "");
        }
        Some(Schedule {
            id: manifest.id(&schedule.name.value)?,
            target,
            timing: schedule.timing.clone(),
            since_ms: 0,
            missed: schedule.missed,
            overlap: schedule.overlap,
            attempts: schedule.attempts,
            backoff_ms: schedule.backoff_ms,
            timeout_ms: schedule.timeout_ms,
        })
    }
}
