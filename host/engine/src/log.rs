//! Where an actor's output goes. The host decides what becomes of it: `wicker logs`, a file, the terminal.

use std::fmt;

/// Takes what actors write and what the engine has to say about them. Called from async code: must not block.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one line, without its line break.
    fn write(&self, line: LogLine<'_>);
}

impl fmt::Debug for dyn LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Who wrote it.
    pub origin: Origin,
    /// How bad it is. Output of a guest is [`Level::Info`], its standard error too: guests log there.
    pub level: Level,
    /// What it says; valid UTF-8, control characters as the guest wrote them.
    pub text: &'a str,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The guest, to standard output.
    Stdout,
    /// The guest, to standard error.
    Stderr,
    /// The guest, through `wasi:logging`.
    Logging,
    /// The engine: a trap, a limit, a denial.
    Engine,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the usual five")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Forgets everything. For tests and benchmarks.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn write(&self, _line: LogLine<'_>) {}
}
