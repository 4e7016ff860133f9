//! The NATS server: find one that runs, or run one for as long as the host runs.
//!
//! A server that this host starts keeps its JetStream data in the host's data directory, listens on the loopback
//! unless told otherwise, and writes its URL where the other verbs look. It is stopped last, when everything that
//! speaks NATS has stopped.
//!
//! It may be open to other machines: `join_line` is what lets them in, `identity` the certificates between them, `place` what
//! each is to the others. `config` and `files` write what nats-server reads, `machine` starts it, `managed` is the process,
//! `keeper` keeps it running, `grow` makes three of one, `replace` one of the three by another, `binary` finds the program.

mod binary;
mod config;
mod files;
mod grow;
mod identity;
mod join_line;
mod keeper;
mod machine;
mod managed;
mod place;
mod replace;

pub use join_line::JoinLine;
pub use keeper::Keeper;
pub use machine::Machine;
pub use managed::NatsServer;
pub use place::{Place, Role, Running, SERVERS};

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::data_dir::{self, DataDir};

/// Where a NATS server is by custom.
pub const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// NATS's own port.
const DEFAULT_PORT: u16 = 4222;

/// A server on this machine greets within milliseconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a NATS server says when one connects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Greeting {
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Whether it has JetStream on.
    #[serde(default)]
    pub jetstream: bool,
    /// The cluster it belongs to.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The addresses of the servers of its cluster.
    #[serde(default)]
    pub connect_urls: Vec<String>,
}

/// Reads the greeting of the server at `url`; `None` if no NATS server answers there.
pub async fn probe(url: &str) -> Option<Greeting> {
    let greeting = timeout(PROBE_TIMEOUT, async {
        let stream = TcpStream::connect(authority(url)).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.ok()?;
        parse_greeting(&line)
    });
    greeting.await.ok().flatten()
}

/// Whether a killed host of this data directory has left its server.
#[must_use]
pub fn is_left(data: &DataDir) -> Running {
    match managed::Files::own(data).ok().and_then(|files| files.left()) {
        Some(_) => Running::Yes,
        None => Running::No,
    }
}

/// How many copies the lattice's state should have on the server at `url`: three on a cluster that can hold them.
pub async fn copies(url: &str) -> usize {
    let greeting = probe(url).await;
    let is_large = greeting
        .is_some_and(|greeting| greeting.cluster.is_some() && greeting.connect_urls.len() >= 3);
    if is_large { 3 } else { 1 }
}

/// `host:port` of a NATS URL.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") }
}

fn parse_greeting(line: &str) -> Option<Greeting> {
    serde_json::from_str(line.strip_prefix("INFO ")?.trim()).ok()
}

/// The URL of a server to use, where none was given: the customary one, else one that a host on this machine started.
pub async fn find(data: Option<&Path>) -> Option<String> {
    let started_here = data_dir::nats_urls(data);
    for url in std::iter::once(DEFAULT_URL.to_owned()).chain(started_here) {
        if probe(&url).await.is_some_and(|greeting| greeting.jetstream) {
            return Some(url);
        }
    }
    None
}

/// The URL for a verb that talks to a running lattice.
///
/// # Errors
/// None was given and none runs here.
pub async fn url_for_verb(explicit: Option<&str>, data: Option<&Path>) -> anyhow::Result<String> {
    match explicit {
        Some(url) => Ok(url.to_owned()),
        None => find(data).await.context(
            "no NATS server with JetStream on 127.0.0.1:4222, and no host on this machine started one: \
             run `wicker up`, or name a server with --nats URL",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_is_what_one_connects_to() {
        for (url, expected) in [
            ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
            ("nats://user:p@ss@example.org", "example.org:4222"),
            ("example.org:5222", "example.org:5222"),
            ("tls://[::1]:4223/", "[::1]:4223"),
        ] {
            assert_eq!(authority(url), expected);
        }
    }

    #[test]
    fn greeting_says_whether_jetstream_is_on() {
        let on = parse_greeting(r#"INFO {"server_id":"N","version":"2.9.10","jetstream":true} "#);
        assert!(on.is_some_and(|greeting| greeting.version == "2.9.10" && greeting.jetstream));
        assert_eq!(
            parse_greeting(r#"INFO {"version":"2.9.10"}"#).map(|greeting| greeting.jetstream),
            Some(false)
        );
        assert_eq!(parse_greeting("HTTP/1.1 400 Bad Request"), None);
    }
}
