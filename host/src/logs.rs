//! What components and providers write: to the host's own log, to whoever listens in the lattice, and to a short
//! memory that answers `wicker logs`.
//!
//! Writing never blocks and never fails: a line that NATS does not take is still remembered here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use wicker_engine::{Level, LogSink, Origin};
use wicker_lattice::event::{LogLine, LogQuery};
use wicker_lattice::id::ObjectId;
use wicker_lattice::subject;

use crate::member::Member;

/// Lines remembered of each object.
const LINES_MAX: usize = 1000;

/// Bytes of one line, at most; what is longer is cut.
const LINE_BYTES_MAX: usize = 8 << 10;

/// The lines of everything that runs here.
#[derive(Debug)]
pub struct Logs {
    member: Member,
    lines: Mutex<HashMap<ObjectId, VecDeque<LogLine>>>,
}

impl Logs {
    /// An empty memory.
    #[must_use]
    pub fn new(member: Member) -> Arc<Self> {
        Arc::new(Self { member, lines: Mutex::default() })
    }

    /// Where `object` writes.
    #[must_use]
    pub fn sink(self: &Arc<Self>, object: &ObjectId) -> Arc<dyn LogSink> {
        Arc::new(Sink { logs: Arc::clone(self), object: object.clone() })
    }

    /// Takes one line of `object`.
    pub fn write(&self, object: &ObjectId, stream: &str, text: &str) {
        let text = cut(text).to_owned();
        let (at, process) = (self.member.clock.rfc3339(), self.member.process);
        let line = LogLine { at, object: object.clone(), process, stream: stream.to_owned(), text };
        let subject = subject::log(
            &self.member.lattice,
            &object.to_token(),
            &self.member.process.to_string(),
        );
        if let Ok(json) = serde_json::to_vec(&line) {
            self.member.nats.try_publish(&subject, json.into());
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let of_object = lines.entry(object.clone()).or_default();
        if of_object.len() == LINES_MAX {
            of_object.pop_front();
        }
        of_object.push_back(line);
    }

    /// The latest lines, oldest first.
    #[must_use]
    pub fn answer(&self, query: &LogQuery) -> Vec<LogLine> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = lines
            .iter()
            .filter(|(object, _)| query.object.as_ref().is_none_or(|wanted| wanted == *object));
        let mut found: Vec<LogLine> = wanted.flat_map(|(_, lines)| lines.iter().cloned()).collect();
        drop(lines);
        found.sort_by(|a, b| a.at.cmp(&b.at));
        let surplus =
            found.len().saturating_sub(usize::try_from(query.lines).unwrap_or(usize::MAX));
        found.split_off(surplus)
    }
}

/// Where one object writes.
struct Sink {
    logs: Arc<Logs>,
    object: ObjectId,
}

impl LogSink for Sink {
    fn write(&self, line: wicker_engine::LogLine<'_>) {
        let object = &self.object;
        match line.level {
            Level::Trace | Level::Debug => tracing::debug!(%object, "{}", line.text),
            Level::Info => tracing::info!(%object, "{}", line.text),
            Level::Warn => tracing::warn!(%object, "{}", line.text),
            Level::Error => tracing::error!(%object, "{}", line.text),
        }
        self.logs.write(object, stream(&line), line.text);
    }
}

/// The word for a line's origin in [`LogLine::stream`].
fn stream(line: &wicker_engine::LogLine<'_>) -> &'static str {
    match (line.origin, line.level) {
        (Origin::Stdout, _) => "stdout",
        (Origin::Stderr, _) => "stderr",
        (Origin::Engine, _) => "host",
        (Origin::Logging, Level::Trace) => "trace",
        (Origin::Logging, Level::Debug) => "debug",
        (Origin::Logging, Level::Info) => "info",
        (Origin::Logging, Level::Warn) => "warn",
        (Origin::Logging, Level::Error) => "error",
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_line_is_cut_between_characters() {
        let text = "ä".repeat(LINE_BYTES_MAX);
        assert_eq!(cut(&text).len(), LINE_BYTES_MAX);
        let odd = format!("x{text}");
        assert_eq!(cut(&odd).len(), LINE_BYTES_MAX - 1);
        assert_eq!(cut("short"), "short");
    }
}
