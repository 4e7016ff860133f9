//! A `wicker up` with a NATS server of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::eventually;
use crate::host::wicker;

/// A running host; killed with this value, if it still runs then.
#[derive(Debug)]
pub struct LoneHost {
    /// Its process.
    pub child: Child,
    /// What it printed once everything answered.
    pub started: Value,
    /// Its data directory.
    pub data: PathBuf,
}

impl LoneHost {
    /// Starts it in `data`, with a NATS server that it starts itself at `nats`, and waits until everything answers.
    ///
    /// # Panics
    /// It ends; the message holds its log.
    pub async fn start(data: &Path, nats: &str) -> Self {
        Self::start_with(wicker(), data, &["--alone", "--nats-listen", nats]).await
    }

    /// As [`LoneHost::start`], by a command that may run it elsewhere, with flags of the test's choice.
    ///
    /// # Panics
    /// As there.
    #[expect(clippy::expect_used, clippy::panic, reason = "a test without its host cannot go on")]
    pub(crate) async fn start_with(mut wicker: Command, data: &Path, args: &[&str]) -> Self {
        let said = PathBuf::from(format!("{}.out", data.display()));
        let log = PathBuf::from(format!("{}.log", data.display()));
        let mut child = wicker
            .args(["--output", "json", "--data"])
            .arg(data)
            .args(["up", "--http", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(&said).expect("the file opens"))
            .stderr(File::options().append(true).create(true).open(&log).expect("the file opens"))
            .spawn()
            .expect("wicker starts");
        let started = eventually("everything answers", || {
            if let Ok(Some(status)) = child.try_wait() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("wicker up ended with {status}:\n{log}");
            }
            let line = std::fs::read_to_string(&said).unwrap_or_default();
            async move { serde_json::from_str(line.trim()).ok() }
        })
        .await;
        Self { child, started, data: data.to_owned() }
    }

    /// Where its NATS server is.
    #[must_use]
    pub fn nats(&self) -> &str {
        self.started.get("nats").and_then(Value::as_str).unwrap_or_default()
    }

    /// The line that it printed for other machines.
    #[must_use]
    pub fn join(&self) -> &str {
        self.started.get("join").and_then(Value::as_str).unwrap_or_default()
    }
}
