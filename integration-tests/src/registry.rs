//! A real registry (Debian's `docker-registry`) that asks for a password, on a free port.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::eventually;

/// Who may log in, and the password's bcrypt hash.
const LOGIN: &str = "ada:U*U";
const PASSWORDS: &str = "ada:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";

/// `LOGIN` in base 64, as `docker login` stores it.
const STORED: &str = "YWRhOlUqVQ==";

/// A running registry; it ends with this value.
#[derive(Debug)]
pub struct Registry {
    _child: Child,
    folder: tempfile::TempDir,
    host: String,
}

impl Registry {
    /// Starts one and waits until it listens.
    ///
    /// # Panics
    /// `docker-registry` is not installed (`make test-tools` installs it), or does not come up.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let host = listener.local_addr().expect("a bound listener has an address").to_string();
        drop(listener);
        let path = |name: &str| folder.path().join(name);
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"{host}\" }}\nauth: {{ htpasswd: {{ realm: test, path: {} }} }}\n",
            path("data").display(),
            path("passwords").display()
        );
        std::fs::write(path("config.yml"), config).expect("the file is written");
        std::fs::write(path("passwords"), PASSWORDS).expect("the file is written");
        let auths = serde_json::json!({ "auths": { &host: { "auth": STORED } } });
        std::fs::create_dir(path("docker")).expect("a folder for credentials");
        std::fs::write(path("docker/config.json"), auths.to_string()).expect("the file is written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(path("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("docker-registry starts; `make test-tools` installs it");
        eventually("docker-registry listens", || async { TcpStream::connect(&host).await.ok() })
            .await;
        Self { _child: child, folder, host }
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// For `DOCKER_CONFIG`: where `docker login` would have stored the password.
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.folder.path().join("docker")
    }

    /// What the registry has under `path`, such as `hello/manifests/1.0`: JSON.
    ///
    /// # Panics
    /// It does not answer.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}/v2/{path}", self.host);
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
        let output = Command::new("curl").args(["-sfL", "-u", LOGIN, "-H", accept, &url]).output();
        let output = output.await.expect("curl runs");
        serde_json::from_slice(&output.stdout).expect("the registry answers with JSON")
    }
}
