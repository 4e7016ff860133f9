//! What was refused, said once: the first time that an actor meets each kind of refusal, its log gets one line that
//! names what would grant it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Template;
use crate::log::Level;

/// Something that a component tried and may not.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Denial<'a> {
    /// It looked for files and has none.
    Files,
    /// It tried to change something in a directory that it may only read.
    Write,
    /// It asked for a TCP or UDP socket.
    Socket,
    /// It asked for the address of a host name.
    Lookup,
    /// It used a socket in a way that is not granted; which entry would grant it, if one could.
    Address(Option<&'a str>),
    /// It sent an HTTP request that no link carries; the text says what would.
    Http(&'a str),
}

/// Which kinds of refusal an actor has met already.
#[derive(Debug, Default)]
pub(super) struct Denials(AtomicU8);

impl Denial<'_> {
    fn bit(self) -> u8 {
        match self {
            Self::Files => 1,
            Self::Write => 2,
            Self::Socket => 4,
            Self::Lookup => 8,
            Self::Http(_) => 16,
            Self::Address(_) => 32,
        }
    }
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str(
                "denied: files. No directory is granted; in the manifest this would grant one: \
                 grants.files: [{host: /directory/on/the/host, guest: /directory}]",
            ),
            Self::Write => f.write_str(
                "denied: writing to a file. The directory is granted for reading only; in the manifest: \
                 grants.files: [{host: ..., guest: ..., write: true}]",
            ),
            Self::Socket => f.write_str(
                "denied: a socket. Components have none: the network is reached through links, HTTP through \
                 wasi:http (wicker link set SOURCE wasi:http http-client); in the manifest this would grant \
                 sockets: grants.network: [tcp://HOST:PORT]",
            ),
            Self::Lookup => f.write_str(
                "denied: looking up a host name. Components have no sockets: the network is reached through links, \
                 HTTP through wasi:http (wicker link set SOURCE wasi:http http-client); in the manifest this \
                 would grant it: grants.network: [tcp://NAME:PORT]",
            ),
            Self::Address(Some(entry)) => {
                write!(f, "denied: a socket to elsewhere. In the manifest this would grant it: grants.network: [{entry}]")
            }
            Self::Address(None) => f.write_str("denied: a socket that others connect to. No grant gives one"),
            Self::Http(help) => write!(f, "denied: an outgoing HTTP request. {help}"),
        }
    }
}

impl Template {
    /// Logs `denial` if it is the first of its kind.
    pub(crate) fn deny(&self, denial: Denial<'_>) {
        let bit = denial.bit();
        if self.denials().0.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let text = denial.to_string().replace("SOURCE", self.actor().id.as_str());
            self.engine_line(Level::Warn, &text);
        }
    }
}
