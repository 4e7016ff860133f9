//! `wicker diff FILE...`: what `deploy` would change, field by field. Writes nothing.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;
use wicker_reconciler::diagnostic::Diagnostic;
use wicker_reconciler::plan::{AnyRecord, Plan, Step};
use wicker_reconciler::route;

use crate::cli::deploy::{Images, plan_one, read_manifests};
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, fail, mask, out};

/// The exit code when there are changes.
const CHANGED: u8 = 1;

/// The exit code when nothing can be told.
const TROUBLE: u8 = 2;

/// What `wicker diff` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 without changes, 1 with changes, 2 when nothing can be told.")]
pub struct Args {
    /// Application manifests, as for `deploy`.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// A partial manifest to lay over the manifest, as for `deploy`.
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
}

/// What would change, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) applications: Vec<Application>,
    pub(super) warnings: Vec<Diagnostic>,
}

#[derive(Debug, Serialize)]
pub(super) struct Application {
    application: String,
    changes: Vec<Change>,
    /// What the planner has to say.
    notes: Vec<String>,
}

/// One record that would be written.
#[derive(Debug, Serialize)]
struct Change {
    /// `create`, `update` or `delete`.
    action: &'static str,
    /// `component`, `provider`, `link`, `route` or `application`.
    kind: &'static str,
    /// What it is about, as people call it.
    name: String,
    /// What differs, of an update; what is said, of a creation.
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Field {
    /// `limits.memory_bytes`.
    field: String,
    from: Value,
    to: Value,
}

/// Runs the verb.
///
/// # Errors
/// None: what goes wrong is printed, and is an exit code of its own.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    match diff(&args, &global).await {
        Ok(false) => Ok(ExitCode::SUCCESS),
        Ok(true) => Ok(ExitCode::from(CHANGED)),
        Err(error) => {
            fail(&error);
            Ok(ExitCode::from(TROUBLE))
        }
    }
}

/// Prints what would change; whether anything would.
async fn diff(args: &Args, global: &Global) -> anyhow::Result<bool> {
    let manifests = read_manifests(&args.files, &args.overlay)?;
    let session = Session::open(global).await?;
    let images = Images::read(&manifests).await;
    let mut report = Report { applications: Vec::new(), warnings: Vec::new() };
    for index in 0..manifests.len() {
        let planned = plan_one(&session, &manifests, &images, index).await?;
        if index == 0 {
            report.warnings = planned.warnings.iter().cloned().collect();
        }
        let name = format!("{}/{}", planned.desired.team, planned.desired.application);
        report.applications.push(Application::new(name, planned.plan));
    }
    for warning in &report.warnings {
        out::note(&warning.to_string());
    }
    if session.is_json() {
        out::json(&report);
    } else {
        let shown = report.applications.iter().map(ToString::to_string);
        out::line(shown.collect::<Vec<_>>().join("\n").trim_end());
    }
    Ok(report.applications.iter().any(|each| !each.changes.is_empty()))
}

impl Application {
    pub(super) fn new(application: String, plan: Plan) -> Self {
        let changes = plan.steps.iter().filter_map(change).collect();
        Self { application, changes, notes: plan.notes }
    }
}

fn change(step: &Step) -> Option<Change> {
    let (action, record, fields) = match step {
        Step::Create(record) | Step::Ensure(record) => {
            ("create", record, fields(&Value::Null, &said(record)))
        }
        Step::Update { record, before, .. } => {
            ("update", record, fields(&said(before), &said(record)))
        }
        Step::Delete { before, .. } => ("delete", before, Vec::new()),
    };
    // A file that only reads differently changes nothing that runs.
    if action == "update" && fields.is_empty() {
        return None;
    }
    let (kind, name) = called(record)?;
    Some(Change { action, kind, name, fields })
}

/// What a record is about. `None` for placements: they follow from the others.
fn called(record: &AnyRecord) -> Option<(&'static str, String)> {
    Some(match record {
        AnyRecord::Application(each) => ("application", format!("{}/{}", each.team, each.name)),
        AnyRecord::Component(each) => ("component", short(&each.id)),
        AnyRecord::Provider(each) => ("provider", short(&each.id)),
        AnyRecord::Export(each) => ("export", each.id.to_string()),
        AnyRecord::Link(each) => {
            ("link", format!("{} {} {}", short(&each.source), each.scope.as_str(), each.name))
        }
        AnyRecord::Route(each) => ("route", route::print(each.host.as_deref(), &each.path)),
        AnyRecord::Schedule(each) => ("schedule", short(&each.id)),
        AnyRecord::Placement(_) => return None,
    })
}

/// What users say in a record: no bookkeeping, no secrets.
fn said(record: &AnyRecord) -> Value {
    let said = match record {
        AnyRecord::Application(each) => serde_json::json!({ "version": each.version }),
        record => serde_json::to_value(record).unwrap_or_default(),
    };
    let mut said = mask::json(&said);
    if let Value::Object(fields) = &mut said {
        for bookkeeping in
            ["id", "generation", "is_bare", "owner", "claimed_by", "source", "scope", "since_ms"]
        {
            let is_said = bookkeeping == "source" && matches!(record, AnyRecord::Provider(_));
            if !is_said {
                fields.remove(bookkeeping);
            }
        }
    }
    said
}

/// The fields in which two values differ, down to what is no map. What is absent on both sides is no difference.
fn fields(from: &Value, to: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    compare(String::new(), from, to, &mut found);
    found
}

fn compare(path: String, from: &Value, to: &Value, found: &mut Vec<Field>) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if from == to || (is_empty(from) && is_empty(to)) {
        return;
    }
    let (Some(before), Some(after)) = (map(from), map(to)) else {
        found.push(Field { field: path, from: from.clone(), to: to.clone() });
        return;
    };
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let value = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned();
        let (from, to) = (value(&before).unwrap_or_default(), value(&after).unwrap_or_default());
        compare(path, &from, &to, found);
    }
}

/// A map, or nothing, which is an empty one beside a map.
fn map(value: &Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields.clone()),
        Value::Null => Some(serde_json::Map::new()),
        _ => None,
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application, changes, notes } = self;
        if changes.is_empty() {
            writeln!(f, "{application}: no changes")?;
        } else {
            writeln!(f, "{application}")?;
        }
        for Change { action, kind, name, fields } in changes {
            let sign = match *action {
                "create" => '+',
                "update" => '~',
                _ => '-',
            };
            writeln!(f, "  {sign} {kind} {name}")?;
            for Field { field, from, to } in fields {
                match from {
                    Value::Null => writeln!(f, "      {field}: {to}")?,
                    from => writeln!(f, "      {field}: {from} → {to}")?,
                }
            }
        }
        notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_by_their_innermost_field() {
        let field = |field: &str, from, to| Field { field: field.to_owned(), from, to };
        assert_eq!(
            fields(
                &json!({"a": {"b": 1, "c": [1]}, "d": null, "e": {"f": 1}}),
                &json!({"a": {"b": 2, "c": [1]}, "d": [], "e": null, "g": {"h": "i"}})
            ),
            [
                field("a.b", json!(1), json!(2)),
                field("e.f", json!(1), json!(null)),
                field("g.h", json!(null), json!("i")),
            ]
        );
    }
}
