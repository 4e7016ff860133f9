//! Writes a plan, step by step.

use wicker_lattice::store::{Record, Store, StoreError};
use wicker_reconciler::plan::{AnyRecord, Plan, Step};

/// Writes every step in order.
///
/// # Errors
/// The first that fails ends it. After [`StoreError::Conflict`] and [`StoreError::Unavailable`], read and plan again:
/// what was written stays, and the next plan counts it in.
pub async fn apply(store: &Store, plan: &Plan) -> Result<(), StoreError> {
    for step in &plan.steps {
        carry_out(store, step).await?;
    }
    Ok(())
}

/// Writes one step. The revision it got; `None` for a deletion, and where what was to be ensured is there already.
///
/// # Errors
/// As [`apply`].
pub async fn carry_out(store: &Store, step: &Step) -> Result<Option<u64>, StoreError> {
    match step {
        Step::Create(record) => write(store, record, None).await.map(Some),
        Step::Ensure(record) => match write(store, record, None).await {
            Err(StoreError::Conflict { .. }) => Ok(None),
            other => other.map(Some),
        },
        Step::Update { record, revision, .. } => {
            write(store, record, Some(*revision)).await.map(Some)
        }
        Step::Delete { key, .. } => store.delete_spec_key(key).await.map(|()| None),
    }
}

async fn write(
    store: &Store,
    record: &AnyRecord,
    revision: Option<u64>,
) -> Result<u64, StoreError> {
    async fn one<R: Record>(
        store: &Store,
        record: &R,
        revision: Option<u64>,
    ) -> Result<u64, StoreError> {
        match revision {
            Some(revision) => store.update(record, revision).await,
            None => store.create(record).await,
        }
    }
    match record {
        AnyRecord::Application(record) => one(store, record, revision).await,
        AnyRecord::Component(record) => one(store, record, revision).await,
        AnyRecord::Provider(record) => one(store, record, revision).await,
        AnyRecord::Export(record) => one(store, record, revision).await,
        AnyRecord::Link(record) => one(store, record, revision).await,
        AnyRecord::Route(record) => one(store, record, revision).await,
        AnyRecord::Schedule(record) => one(store, record, revision).await,
        AnyRecord::Placement(record) => one(store, record, revision).await,
    }
}
