//! Secrets that have changed, for providers in processes of their own: the host tells them over their pipe. What runs
//! inside the host follows the host's source by itself.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc;
use wicker_lattice::secret::SecretSource;

use super::task::Run;
use super::{Control, Handle, Input};
use crate::member::Member;

/// Tells of every change.
pub(super) fn follow(
    member: &Member,
    source: &Arc<dyn SecretSource>,
    inputs: &mpsc::Sender<Input>,
) {
    let (mut changes, inputs, tasks) = (source.changes(), inputs.clone(), member.tasks.clone());
    member.tasks.spawn("secret changes", async move {
        loop {
            let changed = tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok::<(), Infallible>(()),
                changed = changes.changed() => changed,
            };
            if changed.is_err() || inputs.send(Input::Secrets).await.is_err() {
                return Ok(());
            }
        }
    });
}

impl Control {
    /// Tells each process here what it needs, unless it knows.
    pub(super) fn tell_secrets(&self) {
        for (id, run) in &self.running {
            let Handle::Process(process) = Run::handle(run) else { continue };
            let links: Vec<_> = self.records.links_at(id).map(|record| record.link).collect();
            process.tell(self.parts.starter.secrets.as_ref(), &links);
        }
    }
}
