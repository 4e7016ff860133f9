//! A NATS server that a host runs: started, or taken over from a host on the same data directory that was killed.
//!
//! The server's process id and URL lie in the data directory for as long as it runs. A host that finds them there, and
//! there a process with this very configuration that answers, goes on with it as its own; one that does not answer or
//! is configured otherwise is ended. So a killed host leaks no server, and the next one keeps the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::config::ServerConfig;
use super::files::write_private;
use super::{DEFAULT_PORT, authority, probe};
use crate::data_dir::DataDir;

/// Long enough to recover a large JetStream store.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server gets to flush its store; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that was left behind may take to answer.
const ADOPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a process that is not our child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the files of one server lie.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
    url: PathBuf,
    pid: PathBuf,
}

impl Files {
    /// Of the server that this machine's processes use.
    pub(super) fn own(data: &DataDir) -> anyhow::Result<Self> {
        let folder = data.subdir("nats")?;
        let (url, pid) = (data.nats_url_file(), data.nats_pid_file());
        Ok(Self {
            config: folder.join("nats-server.conf"),
            log: folder.join("nats-server.log"),
            url,
            pid,
        })
    }

    /// Of one that runs beside it for a while.
    pub(super) fn beside(data: &DataDir, name: &str) -> anyhow::Result<Self> {
        let folder = data.subdir("nats")?;
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        Ok(Self { config: file("conf"), log: file("log"), url: file("url"), pid: file("pid") })
    }

    /// The process that was started with these files and still runs.
    pub(super) fn left(&self) -> Option<Pid> {
        let pid = std::fs::read_to_string(&self.pid).ok()?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw)?;
        serves(pid, &self.config).then_some(pid)
    }

    /// The port that its server had before, also where a killed host left it.
    fn port_before(&self) -> Option<u16> {
        let url = std::fs::read_to_string(&self.url).ok()?;
        authority(url.trim()).rsplit_once(':')?.1.parse().ok()
    }
}

/// A NATS server that this host runs. Dropping it without [`NatsServer::stop`] ends it at once.
#[derive(Debug)]
pub struct NatsServer {
    /// `None` for one that was taken over.
    child: Option<Child>,
    pid: Option<Pid>,
    url: String,
    listen: SocketAddr,
    has_jetstream: bool,
    files: Files,
}

/// Whether `pid` is a NATS server with this configuration: the id may be another process's by now.
fn serves(pid: Pid, config: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    words.any(|word| word == b"--config") && words.next() == Some(config.as_os_str().as_bytes())
}

impl NatsServer {
    /// Takes over the server that a killed host left behind, if it answers and is configured as `config` says for the
    /// address where it listens; otherwise ends it. `None`: no server serves these files any more.
    pub(super) async fn adopt(files: &Files, config: &ServerConfig) -> Option<Self> {
        let pid = files.left()?;
        let server = Self {
            child: None,
            pid: Some(pid),
            url: reached_at(config.client),
            listen: config.client,
            has_jetstream: config.store.is_some(),
            files: files.clone(),
        };
        let found = std::fs::read_to_string(&files.config).unwrap_or_default();
        let is_wanted = found == config.text();
        if is_wanted && timeout(ADOPT_TIMEOUT, server.answers()).await.is_ok() {
            return Some(server);
        }
        server.stop().await;
        None
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// It does not come up; the message says what it said.
    pub(super) async fn start(
        binary: &Path,
        files: &Files,
        config: &ServerConfig,
    ) -> anyhow::Result<Self> {
        write_private(&files.config, &config.text())?;
        let child = Command::new(binary)
            .arg("--config")
            .arg(&files.config)
            .arg("--log")
            .arg(&files.log)
            // A group of its own: Ctrl-C in the terminal is for the host, which stops its server last.
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let mut server = Self {
            child: Some(child),
            pid,
            url: reached_at(config.client),
            listen: config.client,
            has_jetstream: config.store.is_some(),
            files: files.clone(),
        };
        // Before it answers: a host that is killed meanwhile leaves a server that the next one finds.
        server.write_files()?;
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// The URL at which this machine reaches it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens to clients.
    pub(super) fn listens_at(&self) -> SocketAddr {
        self.listen
    }

    fn write_files(&self) -> anyhow::Result<()> {
        let pid = self.pid.map(|pid| pid.as_raw_nonzero().to_string()).unwrap_or_default();
        for (file, text) in [(&self.files.url, &self.url), (&self.files.pid, &pid)] {
            std::fs::write(file, format!("{text}\n"))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    async fn answers(&self) {
        while !self.is_ready().await {
            sleep(LOOK_EVERY).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let greeting = probe(&self.url).await;
        greeting.is_some_and(|greeting| greeting.jetstream == self.has_jetstream)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let log = self.files.log.clone();
        while Instant::now() < deadline {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("the NATS server ended at once ({status}): {}", last_line(&log));
            }
            if self.is_ready().await {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!(
            "the NATS server does not answer at {} after {START_TIMEOUT:?}; see {}",
            self.url,
            log.display()
        )
    }

    /// Stops the server, gently first. Call it when nothing speaks NATS any more.
    pub async fn stop(mut self) {
        self.signal(Signal::TERM);
        if timeout(STOP_TIMEOUT, self.ended()).await.is_err() {
            tracing::warn!(url = self.url, "the NATS server did not stop in time and is killed");
            self.signal(Signal::KILL);
            let _ = timeout(STOP_TIMEOUT, self.ended()).await;
        }
        self.pid = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Resolves when its process is no more. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.wait().await;
            return;
        }
        while self.pid.is_some_and(|pid| serves(pid, &self.files.config)) {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        for file in [&self.files.url, &self.files.pid] {
            let _ = std::fs::remove_file(file);
        }
        // A child is killed by itself.
        if self.child.is_none() && self.pid.is_some_and(|pid| serves(pid, &self.files.config)) {
            self.signal(Signal::TERM);
        }
    }
}

/// The URL of a server that listens at `listen`; one that listens everywhere is reached on the loopback.
fn reached_at(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("nats://{}", SocketAddr::new(ip, listen.port()))
}

/// Where the server of these files listens: as told, else on the loopback; at the port before, the customary one, or any
/// that is free, unless a port was told.
pub(super) fn listen_at(files: &Files, told: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    let ip = told.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |told| told.ip());
    let before = files.port_before();
    match (told.filter(|told| told.port() != 0), before) {
        (Some(told), _) => Ok(told),
        // It is still in use by the server that is to be taken over.
        (None, Some(port)) if files.left().is_some() => Ok(SocketAddr::new(ip, port)),
        (None, _) => {
            let customary = told.is_none().then_some(DEFAULT_PORT);
            free_port(ip, before.into_iter().chain(customary))
        }
    }
}

/// The first of `ports` that is free on `ip`, else any.
fn free_port(ip: IpAddr, ports: impl IntoIterator<Item = u16>) -> anyhow::Result<SocketAddr> {
    let mut ports = ports.into_iter().chain([0]);
    let listener = ports
        .find_map(|port| TcpListener::bind((ip, port)).ok())
        .context("cannot find a free port for a NATS server")?;
    listener.local_addr().context("cannot find a free port for a NATS server")
}

/// Any port of the loopback that is free.
pub(super) fn any_port() -> anyhow::Result<SocketAddr> {
    free_port(IpAddr::V4(Ipv4Addr::LOCALHOST), [])
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it wrote no log").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::*;

    /// A data directory, and a server that its host started on a free port.
    async fn started(root: &Path) -> (DataDir, NatsServer) {
        let data = DataDir::open(Some(&root.join("data"))).unwrap();
        let free = any_port().unwrap();
        let server = machine(&data, Some(free)).start(&data).await.unwrap();
        (data, server)
    }

    fn machine(data: &DataDir, listen: Option<SocketAddr>) -> Machine {
        Machine { name: data.process().to_string(), listen, place: None }
    }

    #[tokio::test]
    async fn started_server_answers_and_is_gone_after_stop() {
        let root = tempfile::tempdir().unwrap();
        let (data, server) = started(root.path()).await;
        let url = server.url().to_owned();
        assert!(probe(&url).await.is_some_and(|greeting| greeting.jetstream));
        assert_eq!(std::fs::read_to_string(data.nats_url_file()).unwrap().trim(), url);
        server.stop().await;
        assert_eq!(probe(&url).await, None);
        assert!(!data.nats_url_file().exists() && !data.nats_pid_file().exists());
        assert!(machine(&data, None).adopt(&data).await.is_none());
    }

    #[tokio::test]
    async fn server_that_a_killed_host_left_is_taken_over_and_stopped() {
        let root = tempfile::tempdir().unwrap();
        let (data, server) = started(root.path()).await;
        let (url, pid) = (server.url().to_owned(), server.pid);
        // A host that is killed drops nothing.
        std::mem::forget(server);
        let adopted = machine(&data, None).adopt(&data).await.unwrap();
        assert_eq!((adopted.url(), adopted.pid), (url.as_str(), pid));
        adopted.stop().await;
        assert_eq!(probe(&url).await, None);
        assert!(!data.nats_pid_file().exists());
    }

    #[tokio::test]
    async fn server_that_was_left_elsewhere_than_wanted_is_ended() {
        let root = tempfile::tempdir().unwrap();
        let (data, server) = started(root.path()).await;
        let url = server.url().to_owned();
        std::mem::forget(server);
        let elsewhere = machine(&data, Some("127.0.0.1:1".parse().unwrap()));
        assert!(elsewhere.adopt(&data).await.is_none());
        assert_eq!(probe(&url).await, None);
    }

    #[tokio::test]
    async fn process_that_is_not_that_server_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&root.path().join("data"))).unwrap();
        std::fs::write(data.nats_url_file(), "nats://127.0.0.1:1\n").unwrap();
        std::fs::write(data.nats_pid_file(), format!("{}\n", std::process::id())).unwrap();
        assert!(machine(&data, None).adopt(&data).await.is_none());
    }
}
