//! Waits until what was placed runs, telling each change of state.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::store::record::{ObjectKind, RunState, Running};
use wicker_lattice::store::{Change, Record as _};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::Placed;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{out, ps};

/// One object on one host, as `--output json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// Which object.
    pub object: ObjectId,
    /// Component or provider.
    pub kind: ObjectKind,
    /// The host's name.
    pub host: String,
    /// The host's id.
    pub process: ProcessId,
    /// `None` while its host has said nothing about it.
    pub state: Option<RunState>,
    /// Why it is so.
    pub reason: Option<String>,
    /// The host as people tell it from others.
    #[serde(skip)]
    pub shown_host: String,
}

impl fmt::Display for ObjectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.map_or("placed", ps::state_name);
        write!(f, "{} on {}: {state}", short(&self.object), self.shown_host)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// What is waited for, and how far it is. Pure.
#[derive(Debug)]
struct Progress {
    objects: Vec<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    report: ObjectReport,
    /// Of the spec that is to run.
    generation: u64,
    /// Of the host when the wait began: what an earlier start of it said is void.
    incarnation: Incarnation,
}

/// Whether the wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Waiting,
    Ready,
    Failed,
}

impl Progress {
    fn new(placed: &BTreeMap<ObjectId, Placed>, inventory: &Inventory) -> Self {
        // A host that is away answers nobody; the plan's notes tell of it.
        let report = |object: &ObjectId, kind, process: ProcessId| {
            let host = inventory.host(process)?;
            let report = ObjectReport {
                object: object.clone(),
                kind,
                host: host.name.clone(),
                process,
                state: None,
                reason: None,
                shown_host: ps::shown_host(inventory, process),
            };
            Some((report, host.incarnation))
        };
        let objects = placed.iter().flat_map(|(object, placed)| {
            let reports =
                placed.hosts.iter().filter_map(move |host| report(object, placed.kind, *host));
            let generation = placed.generation;
            reports.map(move |(report, incarnation)| Awaited { report, generation, incarnation })
        });
        Self { objects: objects.collect() }
    }

    /// Takes a status in; gives back the object if that told something new. What an older generation does says nothing.
    fn observe(&mut self, running: &Running) -> Option<&ObjectReport> {
        let host = running.host.unwrap_or(running.process);
        let Awaited { report, .. } = self.objects.iter_mut().find(|awaited| {
            let Awaited { report, generation, incarnation } = awaited;
            let is_void = running.process == host && running.incarnation < *incarnation;
            report.object == running.object
                && report.process == host
                && running.generation >= *generation
                && !is_void
        })?;
        let is_new = report.state != Some(running.state) || report.reason != running.reason;
        report.state = Some(running.state);
        report.reason.clone_from(&running.reason);
        is_new.then_some(report)
    }

    fn outcome(&self) -> Outcome {
        let states = || self.objects.iter().map(|awaited| awaited.report.state);
        if states().any(|state| state == Some(RunState::Failed)) {
            Outcome::Failed
        } else if states().all(|state| state.is_some_and(RunState::takes_calls)) {
            Outcome::Ready
        } else {
            Outcome::Waiting
        }
    }

    /// What keeps it from being ready.
    fn laggards(&self) -> String {
        let late = self.objects.iter().map(|awaited| &awaited.report);
        let late = late.filter(|report| !report.state.is_some_and(RunState::takes_calls));
        late.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn reports(self) -> Vec<ObjectReport> {
        self.objects.into_iter().map(|awaited| awaited.report).collect()
    }
}

/// The reports of a deployment that nobody waits for.
pub(super) fn planned(
    placed: &BTreeMap<ObjectId, Placed>,
    inventory: &Inventory,
) -> Vec<ObjectReport> {
    Progress::new(placed, inventory).reports()
}

/// Waits until everything that was placed takes calls.
///
/// # Errors
/// Something failed, or was not ready after `timeout`; the message says what, where and why. The records stay: hosts
/// go on trying.
pub async fn wait(
    session: &Session,
    placed: &BTreeMap<ObjectId, Placed>,
    inventory: &Inventory,
    timeout: Duration,
) -> anyhow::Result<Vec<ObjectReport>> {
    let mut progress = Progress::new(placed, inventory);
    let waited = tokio::time::timeout(timeout, until_settled(session, &mut progress)).await;
    let logs = "see `wicker logs` and `wicker ps`";
    match waited {
        Ok(Outcome::Failed) => bail!("{}; {logs}", progress.laggards()),
        Ok(Outcome::Ready | Outcome::Waiting) => Ok(progress.reports()),
        Err(_) => bail!("after {} s: {}; {logs}", timeout.as_secs(), progress.laggards()),
    }
}

async fn until_settled(session: &Session, progress: &mut Progress) -> Outcome {
    let mut watch = session.store.watch::<Running>(&Running::all());
    while progress.outcome() == Outcome::Waiting {
        if let Change::Put(entry) = watch.next().await
            && let Some(report) = progress.observe(&entry.record)
        {
            out::note(&format!("  {report}"));
        }
    }
    progress.outcome()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wicker_lattice::store::record::Host;

    fn running(object: &ObjectId, host: ProcessId, generation: u64, state: RunState) -> Running {
        Running {
            object: object.clone(),
            kind: ObjectKind::Component,
            process: host,
            incarnation: Incarnation::from_bytes([7; 16]),
            host: Some(host),
            generation,
            digest: None,
            serves: Vec::new(),
            types: None,
            state,
            reason: (state == RunState::Failed).then(|| "no such file".to_owned()),
            since: String::new(),
        }
    }

    fn host(process: ProcessId) -> Host {
        Host {
            process,
            incarnation: Incarnation::from_bytes([7; 16]),
            name: format!("host-{process}"),
            labels: BTreeMap::new(),
            http: None,
            pid: None,
            version: String::new(),
            beat: 1,
            is_draining: false,
            degraded: None,
            lost_at: None,
        }
    }

    fn waiting() -> (Progress, ObjectId, [ProcessId; 2]) {
        let object: ObjectId = "default/shop/api".parse().unwrap();
        let hosts = [ProcessId::from_bytes([1; 16]), ProcessId::from_bytes([2; 16])];
        let placed = Placed { kind: ObjectKind::Component, generation: 2, hosts: hosts.to_vec() };
        let placed = BTreeMap::from([(object.clone(), placed)]);
        let inventory = Inventory { hosts: hosts.map(host).to_vec(), ..Inventory::default() };
        (Progress::new(&placed, &inventory), object, hosts)
    }

    #[test]
    fn every_host_must_be_ready() {
        let (mut progress, object, [first, second]) = waiting();
        progress.observe(&running(&object, first, 2, RunState::Ready));
        assert_eq!(progress.outcome(), Outcome::Waiting);
        progress.observe(&running(&object, second, 3, RunState::Pending));
        assert_eq!(progress.outcome(), Outcome::Ready);
    }

    #[test]
    fn older_generation_counts_for_nothing() {
        let (mut progress, object, [first, _]) = waiting();
        assert!(progress.observe(&running(&object, first, 1, RunState::Ready)).is_none());
        assert_eq!(progress.outcome(), Outcome::Waiting);
    }

    #[test]
    fn failure_ends_the_wait_with_its_reason() {
        let (mut progress, object, [first, second]) = waiting();
        progress.observe(&running(&object, first, 2, RunState::Ready));
        progress.observe(&running(&object, second, 2, RunState::Failed));
        assert_eq!(progress.outcome(), Outcome::Failed);
        assert_eq!(
            progress.laggards(),
            format!("shop/api on {}: failed (no such file)", host(second).name)
        );
    }

    #[test]
    fn what_an_earlier_start_of_the_host_said_is_void() {
        let (mut progress, object, [first, _]) = waiting();
        let incarnation = Incarnation::from_bytes([6; 16]);
        assert!(
            progress
                .observe(&Running { incarnation, ..running(&object, first, 2, RunState::Ready) })
                .is_none()
        );
        let incarnation = Incarnation::from_bytes([7; 16]);
        assert!(
            progress
                .observe(&Running { incarnation, ..running(&object, first, 2, RunState::Ready) })
                .is_some()
        );
    }

    #[test]
    fn repeated_status_is_told_once() {
        let (mut progress, object, [first, _]) = waiting();
        let starting = running(&object, first, 2, RunState::Starting);
        assert!(progress.observe(&starting).is_some());
        assert!(progress.observe(&starting).is_none());
    }
}
