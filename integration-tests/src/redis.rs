//! A real redis-server, in memory, on a free port.

use std::net::TcpListener;
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::eventually;

/// A running redis-server; it ends with this value.
#[derive(Debug)]
pub struct Redis {
    _child: Child,
    port: u16,
    login: String,
}

impl Redis {
    /// Starts one and waits until it listens.
    ///
    /// # Panics
    /// `redis-server` is not installed (`make test-tools` installs it), or does not come up.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Redis::start`], for those only who say the password.
    ///
    /// # Panics
    /// As there.
    pub async fn start_asking(password: &str) -> Self {
        let redis = Self::start_with(&["--requirepass", password]).await;
        Self { login: format!(":{password}@"), ..redis }
    }

    async fn start_with(arguments: &[&str]) -> Self {
        let port = free_port();
        #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(arguments)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server starts; `make test-tools` installs it");
        eventually("redis-server listens", || async {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self { _child: child, port, login: String::new() }
    }

    /// `redis://127.0.0.1:<port>`, with the password if it asks for one.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}", self.login, self.port)
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    #[expect(clippy::expect_used, reason = "a machine without a free port runs no test")]
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    #[expect(clippy::expect_used, reason = "a bound listener has an address")]
    let address = listener.local_addr().expect("a bound listener has an address");
    address.port()
}
