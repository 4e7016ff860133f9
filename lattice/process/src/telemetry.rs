//! Where a process writes its log: standard error, as lines for people or as JSON for machines.

use tracing_subscriber::EnvFilter;

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Lines for people, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log. `filter` is in `tracing`'s syntax (`info`, `wicker=debug,warn`); one that cannot be read counts
/// as `info`. A second call in one process changes nothing.
pub fn start(filter: &str, format: Format) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // The error says that a log was started before: tests in one process do that.
    let _ = match format {
        Format::Text => log.with_ansi(is_terminal).with_target(false).try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
}
