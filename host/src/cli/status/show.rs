//! The status as tables for people.

use std::fmt;

use wicker_lattice::store::record::ProgressState;

use super::{ApplicationStatus, ObjectStatus, Status, schedules};
use crate::cli::ps::state_name;
use crate::cli::table::{Table, short};

/// A state as people and programs read it.
fn progress_name(state: ProgressState) -> &'static str {
    match state {
        ProgressState::Rolling => "rolling",
        ProgressState::Ready => "ready",
        ProgressState::Short => "short",
        ProgressState::Failed => "failed",
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.applications.is_empty() {
            writeln!(f, "no application is deployed")?;
        }
        let mut parts: Vec<String> = self.applications.iter().map(ToString::to_string).collect();
        if !self.others.is_empty() {
            parts.push(format!("of no application\n{}", table(&self.others)));
        }
        f.write_str(&parts.join("\n"))
    }
}

impl fmt::Display for ApplicationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application, generation, .. } = self;
        let version = self.version.as_deref().map(|version| format!(" {version}"));
        let version = version.unwrap_or_default();
        let state = self.state.map_or("written", progress_name);
        let paused = if self.is_paused { ", paused" } else { "" };
        let since = self.since.as_deref().map(|since| format!(" since {since}"));
        let since = since.unwrap_or_default();
        writeln!(f, "{application}{version} (generation {generation}): {state}{paused}{since}")?;
        if let Some(reason) = &self.reason {
            writeln!(f, "  {reason}")?;
        }
        if let Some(restored) = &self.restores {
            writeln!(f, "  generation {} again: {}", restored.generation, restored.reason)?;
        }
        for (id, signal) in &self.scaling {
            writeln!(f, "  {}: {signal}", short(id))?;
        }
        write!(f, "{}", table(&self.objects))?;
        match self.schedules.as_slice() {
            [] => Ok(()),
            schedules => write!(f, "{}", schedules::table(schedules)),
        }
    }
}

fn table(objects: &[ObjectStatus]) -> Table {
    let mut table = Table::new(["OBJECT", "HOST", "STATE", "GENERATION", "SINCE"]);
    for each in objects {
        let state = match (each.state, &each.host) {
            (Some(state), _) => state_name(state),
            (None, Some(_)) => "placed",
            (None, None) => "not placed",
        };
        let state = match each.reason.as_deref() {
            Some(reason) if reason != state => format!("{state}: {reason}"),
            _ => state.to_owned(),
        };
        let generation = each.running_generation.unwrap_or(each.generation).to_string();
        let since = each.since.clone().unwrap_or_default();
        table.row([short(&each.object), each.shown_host.clone(), state, generation, since]);
    }
    table
}
