//! A `wicker up` with a NATS server of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Child;

use crate::eventually;
use crate::host::wicker;

/// A running host; killed with this value, if it still runs then.
#[derive(Debug)]
pub struct LoneHost {
    /// Its process.
    pub child: Child,
    /// What it printed once everything answered.
    pub started: Value,
}

impl LoneHost {
    /// Starts it in `data`, with a NATS server that it starts itself at `nats`, and waits until everything answers.
    ///
    /// # Panics
    /// It ends; the message holds its log.
    #[expect(clippy::expect_used, clippy::panic, reason = "a test without its host cannot go on")]
    pub async fn start(data: &Path, nats: &str) -> Self {
        let said = PathBuf::from(format!("{}.out", data.display()));
        let log = PathBuf::from(format!("{}.log", data.display()));
        let open = |path: &Path| File::create(path).expect("the file opens");
        let mut child = wicker()
            .args(["--output", "json", "--data"])
            .arg(data)
            .args(["up", "--http", "127.0.0.1:0", "--nats-listen", nats])
            .stdin(Stdio::null())
            .stdout(open(&said))
            .stderr(open(&log))
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
        Self { child, started }
    }
}
