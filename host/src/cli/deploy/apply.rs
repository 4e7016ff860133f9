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
        match step {
            Step::Create(record) => write(store, record, None).await?,
            Step::Ensure(record) => match write(store, record, None).await {
                Err(StoreError::Conflict { .. }) => {}
                other => other?,
            },
            Step::Update { record, revision, .. } => write(store, record, Some(*revision)).await?,
            Step::Delete { key, .. } => store.delete_spec_key(key).await?,
        }
    }
    Ok(())
}

async fn write(store: &Store, record: &AnyRecord, revision: Option<u64>) -> Result<(), StoreError> {
    async fn one<R: Record>(
        store: &Store,
        record: &R,
        revision: Option<u64>,
    ) -> Result<(), StoreError> {
        match revision {
            Some(revision) => store.update(record, revision).await.map(drop),
            None => store.create(record).await.map(drop),
        }
    }
    match record {
        AnyRecord::Application(record) => one(store, record, revision).await,
        AnyRecord::Component(record) => one(store, record, revision).await,
        AnyRecord::Provider(record) => one(store, record, revision).await,
        AnyRecord::Link(record) => one(store, record, revision).await,
        AnyRecord::Route(record) => one(store, record, revision).await,
        AnyRecord::Placement(record) => one(store, record, revision).await,
    }
}
