//! `wicker exports`: what applications offer to other teams, on which terms, and who uses it.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Export, Quota};
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::{Global, inventory, out};

/// What `wicker exports` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what this team offers, or may link to.
    #[arg(value_name = "TEAM")]
    pub team: Option<String>,
}

/// One export, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub struct ExportRow {
    /// What links name.
    pub export: ObjectId,
    /// Who serves it.
    pub target: ObjectId,
    /// What is offered.
    pub interfaces: Vec<String>,
    /// To whom.
    pub to: Vec<Grant>,
    /// Objects of other teams that are linked to it without a grant: their calls are refused.
    pub closed_to: Vec<ObjectId>,
}

/// One team that may link to an export.
#[derive(Debug, Serialize)]
pub struct Grant {
    /// Which.
    pub team: String,
    /// How much of it.
    pub quota: Quota,
    /// The objects of that team that are linked to it.
    pub used_by: Vec<ObjectId>,
}

/// Every export that there is to see.
#[derive(Debug)]
pub struct Rows(pub Vec<ExportRow>);

/// Runs the verb.
///
/// # Errors
/// The lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let rows = Rows::new(&inventory::read(&session).await?, args.team.as_deref());
    if session.is_json() {
        out::json(&rows.0);
    } else {
        out::line(rows.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

impl Rows {
    /// The exports of an inventory; of one team, or granted to it, if one is given.
    #[must_use]
    pub fn new(inventory: &Inventory, team: Option<&str>) -> Self {
        let exports = inventory.exports.values().map(|stored| &stored.record);
        let concerns = |export: &&Export| {
            team.is_none_or(|team| export.id.team() == team || export.to.contains_key(team))
        };
        Self(exports.filter(concerns).map(|export| row(inventory, export)).collect())
    }
}

fn row(inventory: &Inventory, export: &Export) -> ExportRow {
    let links = inventory.links.values().map(|stored| &stored.record);
    let linked: BTreeSet<&ObjectId> = links
        .filter(|link| link.leads_to(&export.id) && link.source.team() != export.id.team())
        .map(|link| &link.source)
        .collect();
    let used_by = |team: &str| {
        let its = linked.iter().filter(|source| source.team() == team);
        its.map(|source| (*source).clone()).collect()
    };
    let closed = linked.iter().filter(|source| !export.to.contains_key(source.team()));
    let grant = |(team, terms): (&String, &wicker_lattice::store::record::Terms)| Grant {
        team: team.clone(),
        quota: terms.quota,
        used_by: used_by(team),
    };
    ExportRow {
        export: export.id.clone(),
        target: export.target.clone(),
        interfaces: export.interfaces.iter().map(|scope| scope.as_str().to_owned()).collect(),
        to: export.to.iter().map(grant).collect(),
        closed_to: closed.map(|source| (*source).clone()).collect(),
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing is offered to other teams");
        }
        let mut table = Table::new(["EXPORT", "SERVED BY", "INTERFACES", "TO", "QUOTA", "USED BY"]);
        for ExportRow { export, target, interfaces, to, closed_to } in &self.0 {
            let cells = |team: &str, quota: String, used_by: String| {
                let team = team.to_owned();
                let (export, target) = (export.to_string(), target.to_string());
                [export, target, interfaces.join(", "), team, quota, used_by]
            };
            for Grant { team, quota, used_by } in to {
                table.row(cells(team, quota_text(*quota), joined(used_by)));
            }
            if !closed_to.is_empty() {
                table.row(cells("nobody else", "closed".to_owned(), joined(closed_to)));
            }
        }
        table.fmt(f)
    }
}

fn joined(ids: &[ObjectId]) -> String {
    ids.iter().map(ObjectId::as_str).collect::<Vec<_>>().join(", ")
}

fn quota_text(quota: Quota) -> String {
    let Quota { calls_per_second, concurrency, bytes_per_second } = quota;
    let parts = [
        calls_per_second.map(|calls| format!("{calls} calls/s")),
        concurrency.map(|calls| format!("{calls} at once")),
        bytes_per_second.map(|bytes| format!("{bytes} B/s")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
