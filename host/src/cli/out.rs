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

/// Writes a result for programs: one JSON document, on one line where `stdout` is no terminal.
pub fn json(value: &impl serde::Serialize) {
    use std::io::IsTerminal as _;
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    match text {
        Ok(text) => line(&text),
        Err(problem) => error(&format!("cannot write the result as JSON: {problem}")),
    }
}

/// Writes one of many results for programs: one JSON document on one line.
pub fn json_line(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(&text),
        Err(problem) => error(&format!("cannot write the result as JSON: {problem}")),
    }
}

/// Says on stderr, in several lines, what is wrong: problems that show the lines they are about.
pub fn problems(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
