//! A real PostgreSQL server, ended with its value.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::PATIENCE;

/// Its one user, who may do everything.
const USER: &str = "wicker";

/// A server of its own, with one empty database.
#[derive(Debug)]
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    certificate: Option<String>,
}

impl PostgresServer {
    /// Makes one and starts it on a free port.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut server = Self::made();
        server.run();
        server
    }

    /// The same, with a certificate of its own that nobody trusts yet.
    ///
    /// # Panics
    /// As [`PostgresServer::start`].
    #[must_use]
    pub fn start_with_tls() -> Self {
        let mut server = Self::made();
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let data = data(server.folder.path());
        let owner = std::fs::metadata(&data).unwrap();
        let parts =
            [("server.crt", own.cert.pem()), ("server.key", own.signing_key.serialize_pem())];
        for (name, text) in parts {
            let file = data.join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        server.certificate = Some(own.cert.pem());
        server.run();
        server
    }

    /// Its certificate, if it has one: PEM.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL refuses to run as root, and whoever it runs as must get in.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "secret\n").unwrap();
        let made = command("initdb")
            .args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"])
            .args(["--username", USER, "--pgdata"])
            .arg(data(folder.path()))
            .arg("--pwfile")
            .arg(&password)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb; `make test-tools` installs it").success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, port, child: None, certificate: None }
    }

    /// Where it is, as whom, with which password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with("secret")
    }

    /// The same with another password.
    #[must_use]
    pub fn url_with(&self, password: &str) -> String {
        format!("postgres://{USER}:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, if it was stopped.
    ///
    /// # Panics
    /// It does not start.
    pub fn run(&mut self) {
        let child = command("postgres")
            .arg("-D")
            .arg(data(self.folder.path()))
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", if self.certificate.is_some() { "ssl=on" } else { "ssl=off" }])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            assert!(Instant::now() < deadline, "PostgreSQL does not answer");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Ends it at once: connections break, what was committed is kept.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let stopped = command("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(data(self.folder.path()))
            .stdout(Stdio::null())
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }

    fn answers(&self) -> bool {
        let ready = command("pg_isready")
            .args(["--quiet", "--host", "127.0.0.1", "--port", &self.port.to_string()])
            .status();
        ready.is_ok_and(|status| status.success())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// One of PostgreSQL's programs, as somebody who is not root. Debian keeps them out of the path.
fn command(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin").join(name));
    let program = programs.filter(|program| program.exists()).max();
    let program = program.unwrap_or_else(|| PathBuf::from(name));
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}
