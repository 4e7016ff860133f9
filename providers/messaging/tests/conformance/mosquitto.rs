//! A real mosquitto on a free port, which keeps what it has acknowledged over a restart.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::setting::eventually;

/// A broker; it ends with this value.
pub(crate) struct Mosquitto {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl Mosquitto {
    /// Starts one that lets everybody in.
    pub(crate) async fn start() -> Self {
        Self::start_with("allow_anonymous true").await
    }

    /// Starts one that lets in `user` with this password.
    pub(crate) async fn start_for(user: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&file)
            .args([user, password])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let config = format!("allow_anonymous false\npassword_file {}", file.display());
        Self::start_in(folder, &config).await
    }

    async fn start_with(config: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config).await
    }

    async fn start_in(folder: TempDir, config: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "listener {port} 127.0.0.1\npersistence true\npersistence_location {}/\nuser root\n{config}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let mut server = Self { child: None, port, folder };
        server.run().await;
        server
    }

    /// Runs it, again after [`Mosquitto::stop`]: at the same address, with what it had.
    pub(crate) async fn run(&mut self) {
        let debian = "/usr/sbin/mosquitto";
        let program = if Path::new(debian).exists() { debian } else { "mosquitto" };
        let child = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts; `make test-tools` installs it");
        self.child = Some(child);
        let port = self.port;
        eventually(
            "mosquitto listens",
            || async move { TcpStream::connect(("127.0.0.1", port)).ok() },
        )
        .await;
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        child.wait().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}
