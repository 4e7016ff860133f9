//! How far the schedules of an application are.

use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Application, LastTick, Schedule, Ticks, Timing};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::schedule::{Clockwork, rfc3339};

use crate::cli::table::{Table, short};

/// One schedule.
#[derive(Debug, Serialize)]
pub(super) struct ScheduleStatus {
    schedule: ObjectId,
    target: ObjectId,
    timing: Timing,
    /// When it is due next, RFC 3339 by the clocks of its zone; `None`: never again, or no host has looked at it yet.
    next: Option<String>,
    /// Ticks that are not over.
    pending: Vec<PendingTick>,
    /// The one that was over last.
    last: Option<EndedTick>,
    done: u64,
    failed: u64,
    skipped: u64,
}

#[derive(Debug, Serialize)]
struct PendingTick {
    at: String,
    deliveries: u32,
    /// Why the last delivery failed, or could not begin.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct EndedTick {
    at: String,
    ended: String,
    deliveries: u32,
    /// Why it was given up.
    error: Option<String>,
}

/// Those of one application, by name.
pub(super) fn of(
    inventory: &Inventory,
    application: &Application,
    ticks: &[Ticks],
) -> Vec<ScheduleStatus> {
    let is_its =
        |id: &ObjectId| id.team() == application.team && id.application() == application.name;
    let all = inventory.schedules.values().map(|stored| &stored.record);
    let its = all.filter(|schedule| is_its(&schedule.id));
    let status = its.map(|schedule| {
        let told = ticks.iter().find(|each| each.schedule == schedule.id);
        status(schedule, told)
    });
    status.collect()
}

fn status(schedule: &Schedule, told: Option<&Ticks>) -> ScheduleStatus {
    let clockwork = Clockwork::new(&schedule.timing, schedule.since_ms).ok();
    let time = |ms: i64| clockwork.as_ref().map_or_else(|| rfc3339(ms), |each| each.print(ms));
    let pending = told.iter().flat_map(|told| &told.pending).map(|tick| PendingTick {
        at: time(tick.at_ms),
        deliveries: tick.deliveries,
        error: tick.error.clone(),
    });
    let last = told.and_then(|told| told.last.as_ref());
    ScheduleStatus {
        schedule: schedule.id.clone(),
        target: schedule.target.clone(),
        timing: schedule.timing.clone(),
        next: told.and_then(|told| told.next_ms).map(time),
        pending: pending.collect(),
        last: last.map(|LastTick { at_ms, ended_ms, deliveries, error }| EndedTick {
            at: time(*at_ms),
            ended: time(*ended_ms),
            deliveries: *deliveries,
            error: error.clone(),
        }),
        done: told.map_or(0, |told| told.done),
        failed: told.map_or(0, |told| told.failed),
        skipped: told.map_or(0, |told| told.skipped),
    }
}

/// The same for people.
pub(super) fn table(schedules: &[ScheduleStatus]) -> Table {
    let mut table = Table::new(["SCHEDULE", "CALLS", "NEXT", "NOW", "LAST"]);
    for each in schedules {
        let now = match each.pending.as_slice() {
            [] => "idle".to_owned(),
            [first, rest @ ..] => {
                let more = match rest.len() {
                    0 => String::new(),
                    more => format!(", {more} more"),
                };
                let why = first.error.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{} delivery {}{why}{more}", first.at, first.deliveries)
            }
        };
        let last = each.last.as_ref().map(|last| match &last.error {
            None => format!("{} done", last.at),
            Some(why) => format!("{} failed: {why}", last.at),
        });
        let next = each.next.clone().unwrap_or_default();
        table.row([
            short(&each.schedule),
            short(&each.target),
            next,
            now,
            last.unwrap_or_default(),
        ]);
    }
    table
}
