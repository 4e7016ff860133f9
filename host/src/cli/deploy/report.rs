//! What a deployment did, as it is printed.

use serde::Serialize;
use wicker_reconciler::diagnostic::Diagnostic;
use wicker_reconciler::plan::{Plan, Step};

use super::ObjectReport;
use crate::cli::out;
use crate::cli::session::Session;

/// What a deployment did, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In the order of the files.
    pub applications: Vec<ApplicationReport>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// What a deployment did to one application.
#[derive(Debug, Serialize)]
pub struct ApplicationReport {
    /// `team/application`.
    pub application: String,
    /// Of this deployment.
    pub generation: u64,
    /// What was written; nothing where everything was as it should be.
    pub changes: Vec<Change>,
    /// Whether every object is ready. `false` with `--detach`.
    pub is_ready: bool,
    /// What runs where.
    pub objects: Vec<ObjectReport>,
    /// Where it answers HTTP.
    pub urls: Vec<String>,
    /// What the planner has to say.
    pub notes: Vec<String>,
}

/// One record that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// The record's key in the lattice.
    pub key: String,
}

/// What a plan writes, for showing.
#[must_use]
pub fn changes(plan: &Plan) -> Vec<Change> {
    let change = |step: &Step| match step {
        Step::Create(record) | Step::Ensure(record) => {
            Change { action: "create", key: record.key() }
        }
        Step::Update { record, .. } => Change { action: "update", key: record.key() },
        Step::Delete { key, .. } => Change { action: "delete", key: key.clone() },
    };
    plan.steps.iter().map(change).collect()
}

/// Prints a report.
pub fn print(session: &Session, report: &Report) {
    for warning in &report.warnings {
        out::note(&warning.to_string());
    }
    if session.is_json() {
        return out::json(report);
    }
    for application in &report.applications {
        out::line(&text(application));
    }
}

pub(in crate::cli) fn text(report: &ApplicationReport) -> String {
    let ApplicationReport { application, generation, .. } = report;
    let mut lines = vec![match (report.changes.is_empty(), report.is_ready) {
        (true, _) => format!("{application} is as it should be (generation {generation})"),
        (false, true) => format!("{application} is deployed (generation {generation})"),
        (false, false) => format!("{application} is written (generation {generation})"),
    }];
    lines.extend(report.objects.iter().map(|object| format!("  {object}")));
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(report.urls.iter().map(|url| format!("  {url}")));
    lines.join("\n")
}
