//! The only place that writes to the terminal: results to stdout, what is being done and what went wrong to stderr.
//!
//! A closed pipe is not an error: `wicker ps | head` ends quietly.

use std::io::Write as _;

/// Writes one line of a result to stdout.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Says on stderr what is being done, so that stdout stays free for results.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says on stderr, in one line, what went wrong.
pub fn error(text: &str) {
    let one_line = text.replace('\n', " ");
    let _ = writeln!(std::io::stderr().lock(), "error: {one_line}");
}
