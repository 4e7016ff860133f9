//! What the host says about what it runs: status records for machines, events and log lines for people.

use wicker_lattice::event::EventKind;
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::record::{RunState, Running, Types};

use super::status::Since;
use super::task::Run;
use super::{Control, Handle, StatusWrite};
use crate::state::Report;

impl Control {
    pub(super) fn report(&mut self, report: Report) {
        let process = self.process_of(&report.object);
        let at = self.since(&report, process);
        let run = self.running.get(&report.object);
        let world = run.and_then(|run| run.handle().world());
        let serves = world.map(|world| world.exports.keys().map(|name| name.key()).collect());
        let digest = match run.map(Run::handle) {
            Some(Handle::Component(actor)) => Some(actor.program().digest()),
            _ => None,
        };
        let types = digest.clone().or_else(|| Some(Types::of_provider(world?).digest));
        let is_process = matches!(run.map(Run::handle), Some(Handle::Process(_)));
        let running = Running {
            object: report.object.clone(),
            kind: report.kind,
            process,
            incarnation: self.parts.member.incarnation,
            host: Some(self.parts.member.process),
            generation: report.generation,
            digest,
            serves: serves.unwrap_or_default(),
            types,
            state: report.state,
            reason: report.reason.clone(),
            failing_links: run.map(|run| run.failing_links.clone()).unwrap_or_default(),
            failed_generation: report.failed_generation,
            since: at,
        };
        self.announce(&running);
        self.last_word.insert(report.object, running.clone());
        // A process of its own writes its own status while it lives.
        if !is_process {
            self.parts.status.write(StatusWrite::Put(Box::new(running)));
        }
    }

    fn since(&mut self, report: &Report, process: ProcessId) -> String {
        let now = Since { state: report.state, at: self.parts.member.clock.rfc3339() };
        let since =
            self.since.entry((report.object.clone(), process)).or_insert_with(|| now.clone());
        if since.state != report.state {
            *since = now;
        }
        since.at.clone()
    }

    /// Tells people what changed.
    fn announce(&self, running: &Running) {
        let Running { object, state, reason, .. } = running;
        let is_news = self.last_word.get(object).is_none_or(|last| {
            last.state != *state || last.digest != running.digest || last.reason != *reason
        });
        if !is_news {
            return;
        }
        let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let member = &self.parts.member;
        match state {
            RunState::Ready => {
                tracing::info!("{object} is ready");
                member.tell(EventKind::ObjectReady, Some(object), format!("{object} is ready"));
            }
            RunState::Pending => {
                tracing::warn!("{object} waits{why}");
                member.tell(EventKind::ImportPending, Some(object), format!("{object} waits{why}"));
            }
            RunState::Degraded | RunState::Failed | RunState::Unready => {
                member.tell(
                    EventKind::ObjectFailed,
                    Some(object),
                    format!("{object} is not well{why}"),
                );
            }
            RunState::Starting | RunState::Draining => {}
        }
    }
}
