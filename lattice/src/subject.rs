//! The NATS subjects of a lattice: written and read here, and nowhere else.
//!
//! Each names who may publish and who may subscribe, so that NATS permissions alone prove both ends of a call: only
//! `<from>` publishes with its own token, only `<to>` subscribes to its own. All tokens are NATS-safe by construction:
//! process ids are ULIDs, object ids are [`ObjectId::to_token`], everything else goes through [`crate::escape`].
//!
//! ```text
//! wicker.<lattice>.c.<to>.<from>.<target>.<interface>.<function>   a request to process <to>
//! wicker.<lattice>.r.<to>.<from>.<attempt>                         replies, beats, credits, cancels
//! wicker.<lattice>.r.<to>.<from>.<attempt>.b                       chunks of values and streams (bulk connection)
//! wicker.<lattice>.e.<kind>.<object>                               events
//! wicker.<lattice>.l.<object>.<process>                            log lines
//! wicker.<lattice>.q.<process>.<verb>                              questions to a process, JSON both ways
//! ```

use std::fmt;
use std::sync::Arc;

use crate::escape;
use crate::id::{ObjectId, ProcessId};
use crate::interface::InterfaceKey;

/// What every subject of every lattice begins with.
pub const PREFIX: &str = "wicker";

/// The last token of the subjects that carry chunks.
const BULK: &str = "b";

/// One attempt at a call, as its caller numbers it: random from the first, so that a late frame for an earlier start of
/// the caller meets nobody. A number serves again once nothing of its attempt is on its way: its reply came, and neither
/// had streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u64);

/// Who is called, as the last three tokens of a request's subject say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Callee {
    /// The object.
    pub target: ObjectId,
    /// The interface.
    pub interface: InterfaceKey,
    /// The function, as the component ABI names it.
    pub function: Arc<str>,
}

/// What a process subscribes to for requests: `wicker.<lattice>.c.<to>.>`.
#[must_use]
pub fn requests(lattice: &str, to: ProcessId) -> String {
    format!("{PREFIX}.{lattice}.c.{to}.>")
}

/// What a process subscribes to for replies, beats, credits and cancels: `wicker.<lattice>.r.<to>.*.*`.
#[must_use]
pub fn replies(lattice: &str, to: ProcessId) -> String {
    format!("{PREFIX}.{lattice}.r.{to}.*.*")
}

/// What a process subscribes to for chunks, on its bulk connection: `wicker.<lattice>.r.<to>.*.*.b`.
#[must_use]
pub fn chunks(lattice: &str, to: ProcessId) -> String {
    format!("{PREFIX}.{lattice}.r.{to}.*.*.{BULK}")
}

/// The subject of a request.
#[must_use]
pub fn request(lattice: &str, to: ProcessId, from: ProcessId, callee: &Callee) -> String {
    format!("{}{}", requests_to(lattice, to, from), callee.to_tokens())
}

/// What the subjects of all requests from one process to another begin with, up to [`Callee::to_tokens`].
#[must_use]
pub fn requests_to(lattice: &str, to: ProcessId, from: ProcessId) -> String {
    format!("{PREFIX}.{lattice}.c.{to}.{from}.")
}

/// The subject of a reply, beat, credit or cancel. `from` is who publishes it.
#[must_use]
pub fn reply(lattice: &str, to: ProcessId, from: ProcessId, attempt: Attempt) -> String {
    format!("{PREFIX}.{lattice}.r.{to}.{from}.{attempt}")
}

/// The subject of a chunk.
#[must_use]
pub fn chunk(lattice: &str, to: ProcessId, from: ProcessId, attempt: Attempt) -> String {
    to_chunk(reply(lattice, to, from, attempt))
}

/// The subject of a chunk, from [`reply`]'s.
#[must_use]
pub fn to_chunk(mut reply: String) -> String {
    reply.push('.');
    reply.push_str(BULK);
    reply
}

/// The subject of events of one kind about one object. `*` and `>` stand for all, in subscriptions.
#[must_use]
pub fn event(lattice: &str, kind: &str, object: &str) -> String {
    format!("{PREFIX}.{lattice}.e.{kind}.{object}")
}

/// The subject of an object's log lines, as one process writes them. `*` stands for all, in subscriptions.
#[must_use]
pub fn log(lattice: &str, object: &str, process: &str) -> String {
    format!("{PREFIX}.{lattice}.l.{object}.{process}")
}

/// The subject of a question to a process; `*` as the verb is what the process subscribes to.
#[must_use]
pub fn query(lattice: &str, process: ProcessId, verb: &str) -> String {
    format!("{PREFIX}.{lattice}.q.{process}.{verb}")
}

/// Splits a request's subject into who sent it and the tokens of [`Callee`].
#[must_use]
pub fn parse_request(subject: &str) -> Option<(ProcessId, &str)> {
    let rest = after_kind(subject, "c")?;
    let (_to, rest) = rest.split_once('.')?;
    let (from, callee) = rest.split_once('.')?;
    Some((from.parse().ok()?, callee))
}

/// Who sent a reply, beat, credit, cancel or chunk, and for which attempt.
#[must_use]
pub fn parse_reply(subject: &str) -> Option<(ProcessId, Attempt)> {
    let rest = after_kind(subject, "r")?;
    let mut tokens = rest.split('.').skip(1);
    let from = tokens.next()?.parse().ok()?;
    let attempt = u64::from_str_radix(tokens.next()?, 16).ok()?;
    Some((from, Attempt(attempt)))
}

/// The attempt of a subject on which NATS itself reports *no responders*.
#[must_use]
pub fn parse_attempt(subject: &str) -> Option<Attempt> {
    let token = subject.rsplit('.').next()?;
    u64::from_str_radix(token, 16).ok().map(Attempt)
}

/// What follows `wicker.<lattice>.<kind>.`.
fn after_kind<'a>(subject: &'a str, kind: &str) -> Option<&'a str> {
    let rest = subject.strip_prefix(PREFIX)?.strip_prefix('.')?;
    let (_lattice, rest) = rest.split_once('.')?;
    rest.strip_prefix(kind)?.strip_prefix('.')
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.interface, self.function, self.target)
    }
}

impl Callee {
    /// `<target>.<interface>.<function>`.
    #[must_use]
    pub fn to_tokens(&self) -> String {
        let interface = escape::print(self.interface.as_str());
        format!("{}.{interface}.{}", self.target.to_token(), escape::print(&self.function))
    }

    /// Reads what [`Callee::to_tokens`] wrote; `None` for every other text.
    #[must_use]
    pub fn from_tokens(tokens: &str) -> Option<Self> {
        let mut tokens = tokens.split('.');
        let target = ObjectId::from_token(tokens.next()?).ok()?;
        let interface = escape::parse(tokens.next()?)?.parse().ok()?;
        let function = escape::parse(tokens.next()?)?.into();
        tokens.next().is_none().then_some(Self { target, interface, function })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callee() -> Callee {
        Callee {
            target: "default/counter/kv".parse().unwrap(),
            interface: "wasi:keyvalue/store@0.2.0-draft".parse().unwrap(),
            function: "[method]bucket.get".into(),
        }
    }

    #[test]
    fn request_subject_names_both_ends_and_the_callee() {
        let (to, from) = (ProcessId::generate(), ProcessId::generate());
        let subject = request("default", to, from, &callee());
        assert_eq!(subject.split('.').count(), 8);
        let (sender, tokens) = parse_request(&subject).unwrap();
        assert_eq!(sender, from);
        assert_eq!(Callee::from_tokens(tokens), Some(callee()));
    }

    #[test]
    fn reply_subject_names_the_attempt() {
        let (to, from) = (ProcessId::generate(), ProcessId::generate());
        let attempt = Attempt(0xdead_beef);
        let subject = reply("default", to, from, attempt);
        assert_eq!(parse_reply(&subject), Some((from, attempt)));
        assert_eq!(parse_attempt(&subject), Some(attempt));
        assert_eq!(parse_reply(&chunk("default", to, from, attempt)), Some((from, attempt)));
    }

    #[test]
    fn foreign_subjects_are_refused() {
        for subject in
            ["", "wicker", "wicker.a", "wicker.a.r", "other.a.r.b.c.1", "wicker.a.c.b.c.1"]
        {
            assert_eq!(parse_reply(subject), None, "{subject}");
        }
        assert_eq!(Callee::from_tokens("a_b_c.x"), None);
        assert_eq!(Callee::from_tokens("a_b_c.x_cy_sz.f.g"), None);
    }
}
