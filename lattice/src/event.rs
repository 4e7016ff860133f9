//! What happened, told to whoever listens: `wicker events`, dashboards, tests. Events inform; nothing is decided by
//! one, because one that nobody heard is gone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ObjectId, ProcessId};

/// One thing that happened. Published as JSON on the event subject of its kind and object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339, UTC, by the clock of the process that tells it.
    pub at: String,
    /// What kind of thing.
    pub kind: EventKind,
    /// About what, if about an object.
    #[serde(default)]
    pub object: Option<ObjectId>,
    /// Who tells it.
    pub process: ProcessId,
    /// For people: one line, free of secrets.
    pub message: String,
}

/// The kinds of events. The text form is the token in the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A host joined the lattice.
    HostStarted,
    /// A host left it, having drained.
    HostStopped,
    /// A host's lease ran out.
    HostLost,
    /// A component or provider answers calls.
    ObjectReady,
    /// A component or provider was asked to stop, and has.
    ObjectStopped,
    /// A component or provider could not be started, or died.
    ObjectFailed,
    /// A component's import waits for its link or target.
    ImportPending,
    /// A link was made or re-pointed.
    LinkSet,
    /// A link was removed.
    LinkRemoved,
    /// What a link leads to is not, or no longer, what its source imports.
    LinkIncompatible,
    /// A link across teams is closed: what it leads to is not, or no longer, offered to its source's team.
    LinkClosed,
    /// A link across teams that was closed is open.
    LinkOpened,
    /// A record is not acted on: its team has not approved it.
    RecordRefused,
    /// An application was deployed.
    ApplicationDeployed,
    /// A deployment is ready, failed, or goes back to an earlier one.
    ApplicationProgress,
    /// An application was removed.
    ApplicationRemoved,
    /// A tick of a schedule was given up: its deliveries failed as often as they may.
    TickFailed,
    /// Ticks of a schedule were left out: nobody could begin them in time, or the one before was not over.
    TickSkipped,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostStarted => "host-started",
            Self::HostStopped => "host-stopped",
            Self::HostLost => "host-lost",
            Self::ObjectReady => "object-ready",
            Self::ObjectStopped => "object-stopped",
            Self::ObjectFailed => "object-failed",
            Self::ImportPending => "import-pending",
            Self::LinkSet => "link-set",
            Self::LinkRemoved => "link-removed",
            Self::LinkIncompatible => "link-incompatible",
            Self::LinkClosed => "link-closed",
            Self::LinkOpened => "link-opened",
            Self::RecordRefused => "record-refused",
            Self::ApplicationDeployed => "application-deployed",
            Self::ApplicationProgress => "application-progress",
            Self::ApplicationRemoved => "application-removed",
            Self::TickFailed => "tick-failed",
            Self::TickSkipped => "tick-skipped",
        })
    }
}

/// One line that a component or provider wrote. Published as JSON on the log subject of its object and process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// RFC 3339, UTC.
    pub at: String,
    /// Who wrote it.
    pub object: ObjectId,
    /// Where it runs.
    pub process: ProcessId,
    /// `stdout`, `stderr`, a `wasi:logging` level, or `host` for what the host says about it (a denial, a trap).
    pub stream: String,
    /// Without the newline; cut at 8 KiB.
    pub text: String,
}

/// The question by which a host is asked for the lines it remembers: a [`LogQuery`], answered by a list of
/// [`LogLine`], oldest first.
pub const LOGS: &str = "logs";

/// Which lines to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Of this object only.
    #[serde(default)]
    pub object: Option<ObjectId>,
    /// How many at most: the latest.
    pub lines: u32,
}
