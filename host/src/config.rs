//! What a host is told at start. The command line makes it, in `cli::up`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::nats_server::JoinLine;

/// The environment variables that every verb reads.
pub const VARIABLES: [&str; 5] =
    ["WICKER_LATTICE", "WICKER_NATS_URL", "WICKER_DATA", "WICKER_CACHE", "WICKER_OUTPUT"];

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
    /// The lattice to become a machine of; `None`: as the data directory says, else a lattice of its own.
    pub join: Option<JoinLine>,
    /// Where other machines reach this one, `host` or `host:port`; `None`: as its routes say.
    pub address: Option<String>,
    /// Whether a NATS server that this host starts is open to other machines.
    pub is_open: bool,
    /// The data directory; `None`: the default, or its next free sibling.
    pub data: Option<PathBuf>,
    /// Where compiled components are kept; `None`: in the data directory.
    pub cache: Option<PathBuf>,
    /// The HTTP listener; `None`: [`DEFAULT_HTTP`], or the next free port.
    pub http: Option<SocketAddr>,
    /// What placement matches against; always holds `host`.
    pub labels: BTreeMap<String, String>,
    /// A file of secrets; `None`: the lattice's own.
    pub secrets: Option<PathBuf>,
    /// The key that opens secrets; `None`: the data directory's.
    pub secrets_key: Option<PathBuf>,
    /// Manifests and bare components.
    pub files: Vec<PathBuf>,
    /// How long draining may take before what is left is abandoned.
    pub drain: Duration,
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

/// The machine's name, as placement and `wicker ps` show it.
#[must_use]
pub fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}
