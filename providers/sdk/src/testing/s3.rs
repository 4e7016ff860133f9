//! A real server of the S3 protocol, ended with its value.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;

/// Its one user.
const ACCESS_KEY: &str = "wicker";
const SECRET_KEY: &str = "correct-horse-battery";

/// Its one bucket.
const BUCKET: &str = "blobs";

/// An `s3s-fs` of its own, with one empty bucket.
#[derive(Debug)]
pub struct S3Server {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl S3Server {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, child: None };
        server.run();
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, for freezing it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The config of a link to its bucket.
    #[must_use]
    pub fn config(&self) -> Vec<(&'static str, String)> {
        vec![
            ("endpoint", format!("http://127.0.0.1:{}", self.port)),
            ("bucket", BUCKET.to_owned()),
            ("access-key", ACCESS_KEY.to_owned()),
            ("secret-key", SECRET_KEY.to_owned()),
        ]
    }

    /// Starts it, if it was stopped: at the same port, with what it had.
    ///
    /// # Panics
    /// It does not start.
    pub fn run(&mut self) {
        let child = Command::new(program())
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("s3s-fs; `make test-tools` installs it"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "s3s-fs does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it: connections break, what it has answered is kept.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where `.ci/install test` puts it, unless the environment says otherwise.
fn program() -> PathBuf {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/s3s/bin/s3s-fs");
    std::env::var_os("WICKER_TEST_S3").map_or_else(|| PathBuf::from(installed), PathBuf::from)
}
