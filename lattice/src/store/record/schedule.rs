//! Schedules: when components are called, and how far that is.

use serde::{Deserialize, Serialize};

use crate::id::ObjectId;

/// Key `schedule.<id>`: at which times a component is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// `team/application/name`. It may have the name of a component.
    pub id: ObjectId,
    /// The component that is called.
    pub target: ObjectId,
    /// When.
    pub timing: Timing,
    /// Since when it is so, milliseconds since 1970: no tick is earlier, and intervals count from here.
    pub since_ms: i64,
    /// What becomes of ticks that nobody could begin in time.
    pub missed: Missed,
    /// What becomes of a tick that is due before the one before it is over.
    pub overlap: Overlap,
    /// Deliveries of one tick that may fail.
    pub attempts: u32,
    /// The pause after the first failure, milliseconds; it doubles with each.
    pub backoff_ms: u64,
    /// How long one delivery may take, milliseconds.
    pub timeout_ms: u64,
}

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// When the clocks of a time zone show what an expression says.
    Cron {
        /// Five fields, or six with seconds in front.
        expression: String,
        /// A name of the IANA database.
        zone: String,
    },
    /// Again and again after so many milliseconds.
    Every(u64),
    /// Once, at this RFC 3339 time.
    Once(String),
}

/// What becomes of ticks that were due while no host could begin them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The latest of them is delivered.
    #[default]
    Once,
    /// All are delivered, the latest hundred.
    All,
}

/// What becomes of a tick that is due before the one before it is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It waits for its turn.
    Wait,
    /// Both are under way at once.
    Allow,
}

/// Status key `ticks.<id>`: how far a schedule is. Written, checked by revision, by the one host that acts: whoever has not
/// written that a delivery begins may not begin it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    /// Whose.
    pub schedule: ObjectId,
    /// [`Schedule::since_ms`] of the schedule that was followed.
    pub since_ms: i64,
    /// Ticks up to this time, milliseconds since 1970, have been taken in.
    pub until_ms: i64,
    /// When the next one is due; `None`: never again.
    pub next_ms: Option<i64>,
    /// Taken in and not over, in the order of their times.
    #[serde(default)]
    pub pending: Vec<Tick>,
    /// The one that was over last.
    #[serde(default)]
    pub last: Option<LastTick>,
    /// Ticks whose handler said ok.
    #[serde(default)]
    pub done: u64,
    /// Ticks that were given up.
    #[serde(default)]
    pub failed: u64,
    /// Ticks that were left out, as far as they were counted.
    #[serde(default)]
    pub skipped: u64,
}

/// One tick that is not over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// When it was due, milliseconds since 1970.
    pub at_ms: i64,
    /// Deliveries that have begun.
    #[serde(default)]
    pub deliveries: u32,
    /// Those of them that failed.
    #[serde(default)]
    pub failures: u32,
    /// Pauses that it made.
    #[serde(default)]
    pub pauses: u32,
    /// Not delivered before this time.
    pub due_ms: i64,
    /// Why the last delivery failed, or could not begin.
    #[serde(default)]
    pub error: Option<String>,
}

/// A tick that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTick {
    /// When it was due, milliseconds since 1970.
    pub at_ms: i64,
    /// When it was over.
    pub ended_ms: i64,
    /// Deliveries that it took.
    pub deliveries: u32,
    /// Why it was given up; `None`: its handler said ok.
    #[serde(default)]
    pub error: Option<String>,
}
