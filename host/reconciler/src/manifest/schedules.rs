//! `schedules:`, read: when components are called.

use wicker_lattice::store::record::{Missed, Overlap, Timing};

use super::Schedule;
use super::fields::{Fields, Reader};
use super::known::SCHEDULE;
use super::yaml::Node;
use crate::diagnostic::{Span, Spanned};
use crate::schedule::{Clockwork, TimingError};
use crate::suggest;

/// The shortest interval, milliseconds: what is due more often is a loop, not a schedule.
const EVERY_MIN_MS: u64 = 1000;

/// Deliveries of one tick that may fail.
const ATTEMPTS: u32 = 5;

/// The pause after the first failure, milliseconds.
const BACKOFF_MS: u64 = 1000;

/// How long one delivery may take, milliseconds.
const TIMEOUT_MS: u64 = 10_000;

/// The zone of expressions that name none.
const UTC: &str = "UTC";

impl Reader<'_> {
    pub(super) fn schedule(&mut self, name: Spanned<String>, node: &Node) -> Option<Schedule> {
        let what = format!("schedule {}", name.value);
        let fields = self.fields(&what, node, name.span, &SCHEDULE)?;
        let target = fields.get("target").and_then(|node| self.text("target", node));
        if fields.get("target").is_none() {
            let help = "add `target: COMPONENT`";
            self.error(name.span, format!("{what} does not say what is called"), help);
        }
        let timing = self.timing(&what, &fields);
        let missed = [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)];
        let missed = self.one_of("missed", &fields, &missed);
        let overlap = [("skip", Overlap::Skip), ("wait", Overlap::Wait), ("allow", Overlap::Allow)];
        let overlap = self.one_of("overlap", &fields, &overlap);
        let attempts = fields.get("attempts").and_then(|node| self.at_least_one("attempts", node));
        let backoff = fields.get("backoff").and_then(|node| self.millis("backoff", node));
        let timeout = fields.get("timeout").and_then(|node| self.millis("timeout", node));
        Some(Schedule {
            name,
            target: target?,
            timing: timing?,
            missed: missed.unwrap_or_default(),
            overlap: overlap.unwrap_or_default(),
            attempts: attempts.unwrap_or(ATTEMPTS),
            backoff_ms: backoff.unwrap_or(BACKOFF_MS),
            timeout_ms: timeout.unwrap_or(TIMEOUT_MS),
        })
    }

    /// One of `cron`, `every` and `at`.
    fn timing(&mut self, what: &str, fields: &Fields<'_>) -> Option<Timing> {
        let given: Vec<&str> =
            SCHEDULE.one_of.iter().copied().filter(|each| fields.get(each).is_some()).collect();
        if let Some(node) = fields.get("zone")
            && given != ["cron"]
        {
            let help = "a zone is for `cron`; leave it out";
            self.error(node.span, format!("{what} has a zone that does nothing"), help);
        }
        match given.as_slice() {
            ["cron"] => self.cron(fields),
            ["every"] => self.every(fields.get("every")?),
            ["at"] => self.once(fields.get("at")?),
            [] => {
                let help = "add `cron: \"0 3 * * *\"`, `every: 5m` or `at: 2027-01-01T00:00:00Z`";
                self.error(fields.span, format!("{what} does not say when"), help);
                None
            }
            several => {
                let message = format!("{what} says {}", several.join(" and "));
                self.error(fields.span, message, "keep one of them");
                None
            }
        }
    }

    fn cron(&mut self, fields: &Fields<'_>) -> Option<Timing> {
        let expression = self.text("cron", fields.get("cron")?)?;
        let zone = match fields.get("zone") {
            Some(node) => self.text("zone", node)?,
            None => Spanned::new(UTC.to_owned(), expression.span),
        };
        let spans = (expression.span, zone.span);
        self.understood(Timing::Cron { expression: expression.value, zone: zone.value }, spans)
    }

    fn every(&mut self, node: &Node) -> Option<Timing> {
        let every = self.millis("every", node)?;
        if every < EVERY_MIN_MS {
            self.error(node.span, format!("every is {every} ms"), "a second or more");
            return None;
        }
        Some(Timing::Every(every))
    }

    fn once(&mut self, node: &Node) -> Option<Timing> {
        let at = self.text("at", node)?;
        self.understood(Timing::Once(at.value), (at.span, at.span))
    }

    /// Passes on what makes sense. `spans`: where the time stands, and where its zone does.
    fn understood(&mut self, timing: Timing, (time, zone): (Span, Span)) -> Option<Timing> {
        let Err(error) = Clockwork::new(&timing, 0) else { return Some(timing) };
        let (span, help) = match error {
            TimingError::Expression(..) => {
                (time, "minute, hour, day, month, weekday: \"30 3 * * MON-FRI\"")
            }
            TimingError::Never(_) => (time, "no month has that day"),
            TimingError::Zone(_) => (zone, "write a name of the IANA database: Europe/Berlin"),
            TimingError::Time(_) => (time, "write it with its offset: 2027-01-01T00:00:00+01:00"),
        };
        self.error(span, error.to_string(), help);
        None
    }

    fn one_of<T: Copy>(
        &mut self,
        field: &str,
        fields: &Fields<'_>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = fields.get(field).and_then(|node| self.text(field, node))?;
        let found = known.iter().find(|(name, _)| *name == text.value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("{field} is `{}`, expected {}", text.value, names.join(", "));
            self.error(text.span, message, suggest::help(&text.value, names));
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn schedules_lead_to_components(&mut self, schedules: &[Schedule], names: &[&str]) {
        for Schedule { name, target, .. } in schedules {
            if !names.contains(&target.value.as_str()) {
                let message = format!(
                    "the schedule {} calls `{}`, which is no component here",
                    name.value, target.value
                );
                let help = suggest::help(&target.value, names.iter().copied());
                self.error(target.span, message, help);
            }
        }
    }
}
