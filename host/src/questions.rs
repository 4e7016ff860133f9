//! The questions that every host answers, and `wicker` asks.

use std::sync::Arc;

use wicker_lattice::call::{CallError, Status};
use wicker_lattice::event::{LOGS, LogQuery};
use wicker_lattice::rpc::Rpc;
use wicker_lattice::store::Store;
use wicker_provider::link::query::{LINK, LinkQuery};

use crate::control::{ControlHandle, Handle, Lease};
use crate::hand_over::DRAIN;
use crate::logs::Logs;

/// What was logged here; and whether it is there at all.
pub(crate) fn about_logs(rpc: &Rpc, logs: &Arc<Logs>) {
    let logs = Arc::clone(logs);
    rpc.on_query(LOGS, move |query: LogQuery| {
        let lines = logs.answer(&query);
        async move { Ok(lines) }
    });
    rpc.on_query("ping", |question: serde_json::Value| async move { Ok(question) });
}

/// Says in the lease whether this host takes new work, as `wicker drain` asks.
pub(crate) fn about_draining(rpc: &Rpc, lease: &Lease) {
    let lease = lease.clone();
    rpc.on_query(DRAIN, move |is_draining: bool| {
        let lease = lease.clone();
        async move {
            lease.change(|host| host.is_draining = is_draining).await;
            Ok(is_draining)
        }
    });
}

/// Says of a link whether it works at the provider here that it leads to, as `wicker link set` asks.
pub(crate) fn about_links(rpc: &Rpc, store: &Store, control: &ControlHandle) {
    let (store, control) = (store.clone(), control.clone());
    rpc.on_query(LINK, move |query: LinkQuery| {
        let (store, control) = (store.clone(), control.clone());
        async move {
            match control.find(&query.target).await {
                Some(Handle::Provider(provider)) => query.answer(&store, provider.as_ref()).await,
                _ => {
                    let message = format!("{} is no provider inside this host", query.target);
                    Err(CallError::new(Status::NotFound, message))
                }
            }
        }
    });
}
