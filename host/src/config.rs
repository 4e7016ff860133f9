//! What a host is told at start, checked once and reported all together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use wicker_lattice::id::is_name;

use crate::cli::{Global, up};

/// Where a host answers HTTP unless told otherwise; the port moves up if it is taken.
pub const DEFAULT_HTTP: &str = "127.0.0.1:8000";

/// Everything a host is told, parsed.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The lattice to join.
    pub lattice: String,
    /// The NATS server to use; `None`: find one, else start one.
    pub nats: Option<String>,
    /// Where a NATS server that this host starts listens for other machines; `None`: on the loopback only.
    pub nats_listen: Option<SocketAddr>,
    /// The data directory; `None`: the default, or its next free sibling.
    pub data: Option<PathBuf>,
    /// Where compiled components are kept; `None`: in the data directory.
    pub cache: Option<PathBuf>,
    /// The HTTP listener; `None`: [`DEFAULT_HTTP`], or the next free port.
    pub http: Option<SocketAddr>,
    /// What placement matches against; always holds `host`.
    pub labels: BTreeMap<String, String>,
    /// Manifests and bare components.
    pub files: Vec<PathBuf>,
    /// How long draining may take before what is left is abandoned.
    pub drain: Duration,
}

impl HostConfig {
    /// Checks what the command line says.
    ///
    /// # Errors
    /// The first thing that is not what it should be, named by its flag.
    pub fn new(args: up::Args, global: Global) -> anyhow::Result<Self> {
        if !is_name(&global.lattice) {
            bail!(
                "--lattice {}: a lattice's name is 1 to 63 of a-z, 0-9 and inner hyphens",
                global.lattice
            );
        }
        if args.nats_listen.is_some() && global.nats.is_some() {
            bail!(
                "--nats-listen opens the server that `wicker up` starts; with --nats there is none, drop one of them"
            );
        }
        if let Some(missing) = args.files.iter().find(|file| !file.is_file()) {
            bail!("cannot read {}: no such file", missing.display());
        }
        Ok(Self {
            lattice: global.lattice,
            nats: global.nats,
            nats_listen: args
                .nats_listen
                .as_deref()
                .map(|text| address("--nats-listen", text))
                .transpose()?,
            data: global.data,
            cache: global.cache,
            http: args.http.as_deref().map(|text| address("--http", text)).transpose()?,
            labels: labels(&args.labels)?,
            files: args.files,
            drain: Duration::from_secs(args.drain_seconds),
        })
    }
}

impl HostConfig {
    /// The components among the files.
    #[must_use]
    pub fn bare_files(&self) -> Vec<PathBuf> {
        self.files.iter().filter(|file| is_component(file)).cloned().collect()
    }

    /// The manifests among the files.
    #[must_use]
    pub fn manifests(&self) -> Vec<PathBuf> {
        self.files.iter().filter(|file| !is_component(file)).cloned().collect()
    }
}

fn is_component(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wasm")
}

/// Reads `ADDR:PORT`, `:PORT` (every address) or a name with a port.
fn address(flag: &str, text: &str) -> anyhow::Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let mut found = full.to_socket_addrs().with_context(|| {
        format!("{flag} {text}: expected an address and a port, such as 127.0.0.1:8000")
    })?;
    found.next().with_context(|| format!("{flag} {text}: the name has no address"))
}

fn labels(pairs: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([("host".to_owned(), machine_name())]);
    for pair in pairs.iter().filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').with_context(|| format!("--label {pair}: expected KEY=VALUE"))?;
        labels.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(labels)
}

/// The machine's name, as placement and `wicker ps` show it.
#[must_use]
pub fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn parse(words: &[&str]) -> anyhow::Result<HostConfig> {
        let cli = crate::cli::Cli::try_parse_from([&["wicker", "up"], words].concat())?;
        let crate::cli::Command::Up(args) = cli.command else { unreachable!("the verb is `up`") };
        HostConfig::new(args, cli.global)
    }

    #[test]
    fn defaults_leave_what_can_be_found_open() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.lattice, "default");
        assert!(config.nats.is_none() && config.http.is_none() && config.data.is_none());
        assert_eq!(config.labels["host"], machine_name());
    }

    #[test]
    fn listener_may_be_a_port_alone() {
        assert_eq!(
            parse(&["--http", ":8080"]).unwrap().http,
            Some("0.0.0.0:8080".parse().unwrap())
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_flag() {
        for (words, expected) in [
            (&["--lattice", "My Lattice"][..], "--lattice My Lattice"),
            (&["--http", "nonsense"], "--http nonsense"),
            (&["--label", "zone"], "--label zone: expected KEY=VALUE"),
            (&["--nats", "nats://a", "--nats-listen", ":1"], "--nats-listen"),
            (&["missing.wasm"], "cannot read missing.wasm"),
        ] {
            let message = format!("{:#}", parse(words).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
