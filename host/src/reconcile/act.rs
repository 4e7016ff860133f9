//! Carries out what the reconciler decides.

use wicker_lattice::event::EventKind;
use wicker_lattice::store::StoreError;
use wicker_lattice::store::record::{Placement, Progress, ProgressState};
use wicker_reconciler::inventory::Stored;
use wicker_reconciler::plan::{AnyRecord, Step, plan};
use wicker_reconciler::reconcile::{Action, Reconciler};

use crate::execute::{apply, carry_out};
use crate::inventory;
use crate::member::Member;
use crate::restore::{self, RestoreError};

/// Something could not be written or read. What is known may be stale: begin anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Writes, and lets the reconciler see what was written before the watches tell it.
#[derive(Debug)]
pub(super) struct Actor {
    member: Member,
}

impl Actor {
    pub(super) fn new(member: Member) -> Self {
        Self { member }
    }

    /// Carries out everything that the reconciler wants now.
    ///
    /// # Errors
    /// The first write that fails ends it.
    pub(super) async fn carry_out(&mut self, reconciler: &mut Reconciler) -> Result<(), ActError> {
        for action in reconciler.act() {
            match action {
                Action::Write(step) => self.write(step, reconciler).await?,
                Action::Tell(progress) => self.tell(progress, reconciler).await?,
                Action::GoBack { team, name, to, reason, .. } => {
                    self.go_back(&team, &name, to, reason).await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&self, step: Step, reconciler: &mut Reconciler) -> Result<(), ActError> {
        let revision = carry_out(&self.member.store, &step).await?;
        match step {
            Step::Create(AnyRecord::Placement(record))
            | Step::Ensure(AnyRecord::Placement(record))
            | Step::Update { record: AnyRecord::Placement(record), .. } => {
                let Placement { host, object, .. } = record.clone();
                if let Some(revision) = revision {
                    reconciler.placement(&object, host, Some(Stored { record, revision }));
                }
            }
            Step::Delete { before: AnyRecord::Placement(record), .. } => {
                reconciler.placement(&record.object, record.host, None);
            }
            _ => {}
        }
        Ok(())
    }

    async fn tell(&self, progress: Progress, reconciler: &mut Reconciler) -> Result<(), ActError> {
        let progress = Progress { since: self.member.clock.rfc3339(), ..progress };
        self.member.store.put(&progress).await?;
        let Progress { team, name, generation, state, reason, .. } = &progress;
        let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let message = match state {
            ProgressState::Ready => Some(format!("{team}/{name} generation {generation} is ready")),
            ProgressState::Failed => {
                Some(format!("{team}/{name} generation {generation} failed{why}"))
            }
            ProgressState::Rolling | ProgressState::Short => None,
        };
        if let Some(message) = message {
            tracing::info!("{message}");
            self.member.tell(EventKind::ApplicationProgress, None, message);
        }
        reconciler.progress(progress);
        Ok(())
    }

    async fn go_back(
        &self,
        team: &str,
        name: &str,
        to: u64,
        reason: String,
    ) -> Result<(), ActError> {
        let store = &self.member.store;
        tracing::warn!("{team}/{name} goes back to generation {to}: {reason}");
        let mut desired = restore::desired(store, (team, name), to, reason.clone()).await?;
        desired.at = Some(self.member.clock.rfc3339());
        let inventory = inventory::records(store).await?;
        apply(store, &plan(&desired, &inventory)).await?;
        let message = format!("{team}/{name} goes back to generation {to}: {reason}");
        self.member.tell(EventKind::ApplicationProgress, None, message);
        Ok(())
    }
}
