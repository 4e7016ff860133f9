//! A real nats-server for tests: on free ports, with JetStream in a directory of its own, ended with its value.
//!
//! Behind the feature `testing`, because the tests of several members need it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The configuration, in the server's folder.
const CONFIG: &str = "test.conf";

/// How often other ports are tried.
const START_ATTEMPTS: usize = 5;

/// A running nats-server.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    monitor: u16,
    url: String,
}

impl NatsServer {
    /// Every nats-server on this machine, the oldest place first: Debian's, the one on the PATH, the current one that
    /// `make test-tools` fetches. Tests of what differs between versions run over all of them.
    #[must_use]
    pub fn installed() -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
        let current = std::env::var_os("WICKER_TEST_NATS_CURRENT").map(PathBuf::from);
        let mut found: Vec<PathBuf> = Vec::new();
        for program in
            [PathBuf::from("/usr/sbin/nats-server")].into_iter().chain(on_path).chain(current)
        {
            if let Ok(program) = program.canonicalize()
                && !found.contains(&program)
            {
                found.push(program);
            }
        }
        found
    }

    /// Starts the first of [`NatsServer::installed`] and waits until it listens.
    ///
    /// # Panics
    /// There is none, or it does not come up.
    pub async fn start() -> Self {
        #[expect(clippy::expect_used, reason = "nothing can be tested without one")]
        let program = Self::installed()
            .into_iter()
            .next()
            .expect("nats-server; `make test-tools` installs it");
        Self::start_program(&program).await
    }

    /// Starts `program` and waits until it listens.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start_program(program: &Path) -> Self {
        Self::start_with(program, "").await
    }

    /// Starts `program` with a configuration of its own, beside ports and JetStream, and waits until it listens.
    ///
    /// # Panics
    /// It does not come up.
    #[expect(clippy::unused_async, reason = "callers are async, and waiting may become so")]
    #[expect(clippy::panic, reason = "nothing can be tested without one")]
    pub async fn start_with(program: &Path, config: &str) -> Self {
        #[expect(clippy::expect_used, reason = "nothing can be tested without one")]
        let folder = tempfile::tempdir().expect("a temporary directory");
        #[expect(clippy::expect_used, reason = "a new directory can be written to")]
        std::fs::write(folder.path().join(CONFIG), config).expect("a configuration file");
        let mut server = Self {
            program: program.to_owned(),
            child: None,
            folder,
            port: 0,
            monitor: 0,
            url: String::new(),
        };
        // A port that was free a moment ago may be another test's by now.
        for _ in 0..START_ATTEMPTS {
            (server.port, server.monitor) = (free_port(), free_port());
            server.url = format!("nats://127.0.0.1:{}", server.port);
            if server.comes_up() {
                return server;
            }
        }
        panic!("{} does not listen after {START_ATTEMPTS} attempts", program.display())
    }

    /// `nats://127.0.0.1:<port>`. Stays the same over restarts.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it keeps what it keeps.
    #[must_use]
    pub fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The process id, for freezing it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills the server. Clients lose their connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Removes everything that JetStream has kept, after [`NatsServer::stop`].
    ///
    /// # Panics
    /// It runs.
    pub fn lose_everything(&mut self) {
        assert!(self.child.is_none(), "a server that runs keeps what it has");
        let _ = std::fs::remove_dir_all(self.folder.path().join("jetstream"));
    }

    /// Starts it again after [`NatsServer::stop`], at the same address with the same JetStream state.
    ///
    /// # Panics
    /// It does not come up.
    pub fn run(&mut self) {
        assert!(self.comes_up(), "nats-server does not listen on {}", self.url);
    }

    /// Starts the server and waits until it listens; `false` if it ends instead.
    fn comes_up(&mut self) -> bool {
        self.stop();
        let (port, monitor) = (self.port.to_string(), self.monitor.to_string());
        #[expect(clippy::expect_used, reason = "nothing can be tested without one")]
        let child = Command::new(&self.program)
            .args(["-a", "127.0.0.1", "-p", &port, "-m", &monitor, "-js", "-sd"])
            .arg(self.folder.path())
            .arg("-c")
            .arg(self.folder.path().join(CONFIG))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let has_ended =
                self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if has_ended {
                return false;
            }
            if listens(self.port)
                && self.statistics("healthz").is_some_and(|text| text.contains("ok"))
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// What the server says of itself at `/<page>` of its monitoring port (`varz`, `connz`, `subsz`, `jsz`): JSON text.
    /// `None` when it does not answer.
    #[must_use]
    pub fn statistics(&self, page: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitor)).ok()?;
        stream.set_read_timeout(Some(START_TIMEOUT)).ok()?;
        write!(stream, "GET /{page} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    #[expect(clippy::expect_used, reason = "a machine without a free port runs no test")]
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    #[expect(clippy::expect_used, reason = "a bound listener has an address")]
    let address = listener.local_addr().expect("a bound listener has an address");
    address.port()
}
