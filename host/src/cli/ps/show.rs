//! What there is to see, as tables for people.

use std::fmt;

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{ObjectKind, RunState, Share};

use super::{HostRow, LinkRow, ObjectRow, Ps, RouteRow};
use crate::cli::table::{Table, short, short_digest};

/// A state as people and programs read it.
#[must_use]
pub fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Starting => "starting",
        RunState::Ready => "ready",
        RunState::Pending => "pending",
        RunState::Degraded => "degraded",
        RunState::Unready => "unready",
        RunState::Failed => "failed",
        RunState::Draining => "draining",
    }
}

impl fmt::Display for Ps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hosts.is_empty() {
            writeln!(f, "no host runs: start one with `wicker up`")?;
        }
        let tables = [
            hosts_table(&self.hosts),
            objects_table(&self.components, ObjectKind::Component),
            objects_table(&self.providers, ObjectKind::Provider),
            links_table(&self.links),
            routes_table(&self.routes),
        ];
        let shown = tables.iter().filter(|table| !table.is_empty()).map(ToString::to_string);
        f.write_str(&shown.collect::<Vec<_>>().join("\n"))
    }
}

fn hosts_table(rows: &[HostRow]) -> Table {
    let mut table = Table::new(["HOST", "ID", "HTTP", "STATE", "LABELS"]);
    for row in rows {
        let labels = row.labels.iter().filter(|(key, _)| !["host", "id"].contains(&key.as_str()));
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let state = state_and_reason(row.state, row.reason.as_deref());
        let http = row.http.clone().unwrap_or_default();
        table.row([row.host.clone(), row.process.to_string(), http, state, labels.join(",")]);
    }
    table
}

/// The table of components, or of providers.
pub(crate) fn objects_table(rows: &[ObjectRow], kind: ObjectKind) -> Table {
    let mut table = match kind {
        ObjectKind::Component => Table::new(["COMPONENT", "DIGEST", "HOST", "STATE"]),
        ObjectKind::Provider => Table::new(["PROVIDER", "RUNS", "HOST", "STATE"]),
    };
    for row in rows {
        let what = row.digest.as_deref().map(short_digest).or_else(|| row.implementation.clone());
        let state = match (row.state, &row.host) {
            (Some(state), _) => state_name(state),
            (None, Some(_)) => "placed",
            (None, None) => "not placed",
        };
        let state = state_and_reason(state, row.reason.as_deref());
        let host = row.shown_host.clone();
        table.row([short(&row.object), what.unwrap_or_default(), host, state]);
    }
    table
}

/// The table of links.
pub(crate) fn links_table(rows: &[LinkRow]) -> Table {
    let mut table = Table::new(["LINK", "INTERFACE", "NAME", "TARGET", "STATE"]);
    for row in rows {
        let interface = row.interface.as_str().to_owned();
        let target = targets(&row.target, &row.split);
        let state = state_and_reason(row.state, row.reason.as_deref());
        table.row([short(&row.source), interface, row.name.clone(), target, state]);
    }
    table
}

fn routes_table(rows: &[RouteRow]) -> Table {
    let mut table = Table::new(["ROUTE", "TARGET", "CLAIMED BY", "ONLY ON"]);
    for row in rows {
        let only_on = row.only_on.clone().unwrap_or_default();
        let target = targets(&row.target, &row.split);
        table.row([row.route.clone(), target, row.claimed_by.clone(), only_on]);
    }
    table
}

/// One target, or several with their weights.
pub(crate) fn targets(target: &ObjectId, split: &[Share]) -> String {
    if split.is_empty() {
        return short(target);
    }
    let each: Vec<String> =
        split.iter().map(|share| format!("{}={}", short(&share.target), share.weight)).collect();
    each.join(" ")
}

fn state_and_reason(state: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| state.to_owned(), |reason| format!("{state}: {reason}"))
}
