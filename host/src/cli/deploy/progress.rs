//! Waits until what was placed runs, telling each change of state.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::store::record::{Host, ObjectKind, RunState, Running};
use wicker_lattice::store::{Change, Record as _};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::Placed;

use super::settle::{Deployment, Settled, settled};
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
///
/// The reconciler chooses the hosts. How many there will be is foreseen; which ones, each object's status tells.
#[derive(Debug)]
struct Progress {
    objects: BTreeMap<ObjectId, Awaited>,
    /// The incarnations of the hosts when the wait began, and how people tell them apart.
    hosts: BTreeMap<ProcessId, (Incarnation, String, String)>,
}

#[derive(Debug)]
struct Awaited {
    kind: ObjectKind,
    /// Of the spec that is to run.
    generation: u64,
    /// Hosts that should run it.
    wanted: usize,
    reports: BTreeMap<ProcessId, ObjectReport>,
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
        let names = |host: &Host| {
            let shown = ps::shown_host(inventory, host.process);
            (host.process, (host.incarnation, host.name.clone(), shown))
        };
        let hosts: BTreeMap<_, _> = inventory.hosts.iter().map(names).collect();
        let awaited = |(object, placed): (&ObjectId, &Placed)| {
            // A host that is away answers nobody; the plan's notes tell of it.
            let wanted = placed.hosts.iter().filter(|host| hosts.contains_key(host)).count();
            let Placed { kind, generation, .. } = *placed;
            (object.clone(), Awaited { kind, generation, wanted, reports: BTreeMap::new() })
        };
        Self { objects: placed.iter().map(awaited).collect(), hosts }
    }

    /// Takes a status in; gives back the object if that told something new. What an older generation does says nothing.
    fn observe(&mut self, running: &Running) -> Option<&ObjectReport> {
        let process = running.host.unwrap_or(running.process);
        let awaited = self.objects.get_mut(&running.object)?;
        let host = self.hosts.get(&process);
        let is_void = running.process == process
            && host.is_some_and(|(incarnation, ..)| running.incarnation < *incarnation);
        let has_failed =
            running.failed_generation.is_some_and(|failed| failed >= awaited.generation);
        if is_void || !(has_failed || running.generation >= awaited.generation) {
            return None;
        }
        let state = Some(if has_failed { RunState::Failed } else { running.state });
        let known = awaited.reports.get(&process);
        let is_new =
            known.is_none_or(|known| known.state != state || known.reason != running.reason);
        let (_, name, shown_host) = host.cloned().unwrap_or_else(|| {
            let id = process.to_string();
            (Incarnation::from_bytes([0; 16]), id.clone(), id)
        });
        let report = ObjectReport {
            object: running.object.clone(),
            kind: awaited.kind,
            host: name,
            process,
            state,
            reason: running.reason.clone(),
            shown_host,
        };
        awaited.reports.insert(process, report);
        is_new.then(|| awaited.reports.get(&process)).flatten()
    }

    fn outcome(&self) -> Outcome {
        let has_failed = |report: &ObjectReport| report.state == Some(RunState::Failed);
        if self.objects.values().any(|awaited| awaited.reports.values().any(has_failed)) {
            Outcome::Failed
        } else if self.objects.values().all(|awaited| awaited.ready() >= awaited.wanted) {
            Outcome::Ready
        } else {
            Outcome::Waiting
        }
    }

    /// Takes it that an application runs on as many hosts as it will: the reconciler says so.
    fn accept(&mut self, deployment: &Deployment) {
        for (object, awaited) in &mut self.objects {
            if (object.team(), object.application()) == (&*deployment.team, &*deployment.name) {
                awaited.reports.retain(|_, report| takes_calls(report));
                awaited.wanted = awaited.ready();
            }
        }
    }

    /// What keeps it from being ready.
    fn laggards(&self) -> String {
        let late = self.objects.iter().flat_map(|(object, awaited)| {
            let late = awaited.reports.values().filter(|report| !takes_calls(report));
            let late: Vec<String> = late.map(ToString::to_string).collect();
            let is_missing = late.is_empty() && awaited.ready() < awaited.wanted;
            let missing = is_missing.then(|| {
                let (ready, wanted) = (awaited.ready(), awaited.wanted);
                format!("{}: ready on {ready} of {wanted} hosts", short(object))
            });
            late.into_iter().chain(missing)
        });
        late.collect::<Vec<_>>().join("; ")
    }

    fn reports(self) -> Vec<ObjectReport> {
        self.objects.into_values().flat_map(|awaited| awaited.reports.into_values()).collect()
    }
}

impl Awaited {
    fn ready(&self) -> usize {
        self.reports.values().filter(|report| takes_calls(report)).count()
    }
}

fn takes_calls(report: &ObjectReport) -> bool {
    report.state.is_some_and(RunState::takes_calls)
}

/// The reports of a deployment that nobody waits for: where things will run, by the hosts there are now.
pub(super) fn planned(
    placed: &BTreeMap<ObjectId, Placed>,
    inventory: &Inventory,
) -> Vec<ObjectReport> {
    let report = |object: &ObjectId, kind, process: ProcessId| {
        let host = inventory.host(process)?;
        Some(ObjectReport {
            object: object.clone(),
            kind,
            host: host.name.clone(),
            process,
            state: None,
            reason: None,
            shown_host: ps::shown_host(inventory, process),
        })
    };
    let reports = placed.iter().flat_map(|(object, placed)| {
        placed.hosts.iter().filter_map(move |host| report(object, placed.kind, *host))
    });
    reports.collect()
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

/// Waits until the reconciler says that a deployment has ended, and the shared providers that it uses take calls. What runs
/// where, and why it runs on fewer hosts than it should.
///
/// # Errors
/// As [`settled`]; or not after `timeout`.
pub(super) async fn wait_for(
    session: &Session,
    deployment: &Deployment,
    (placed, inventory): (&BTreeMap<ObjectId, Placed>, &Inventory),
    timeout: Duration,
) -> anyhow::Result<(Vec<ObjectReport>, Option<String>)> {
    let mut progress = Progress::new(placed, inventory);
    let logs = "see `wicker logs` and `wicker status`";
    let waited = tokio::time::timeout(timeout, async {
        let ended = tokio::select! {
            ended = settled(session, deployment.clone()) => ended,
            never = tell(session, &mut progress) => match never {},
        };
        let ended = ended.map_err(|why| anyhow::anyhow!("{why:#}; {logs}"))?;
        for entry in session.store.list::<Running>(&Running::all()).await? {
            progress.observe(&entry.record);
        }
        progress.accept(deployment);
        match until_settled(session, &mut progress).await {
            Outcome::Failed => bail!("{}; {logs}", progress.laggards()),
            Outcome::Ready | Outcome::Waiting => Ok(ended),
        }
    });
    match Box::pin(waited).await {
        Ok(ended) => match ended? {
            Settled::Ready => Ok((progress.reports(), None)),
            Settled::Short(why) => Ok((progress.reports(), Some(why))),
        },
        Err(_) => bail!("after {} s: {}; {logs}", timeout.as_secs(), progress.laggards()),
    }
}

/// Tells each change of state, for ever.
async fn tell(session: &Session, progress: &mut Progress) -> Infallible {
    let mut watch = session.store.watch::<Running>(&Running::all());
    loop {
        if let Change::Put(entry) = watch.next().await
            && let Some(report) = progress.observe(&entry.record)
        {
            out::note(&format!("  {report}"));
        }
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
mod tests;
