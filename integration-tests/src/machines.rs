//! Machines that join each other: `wicker up` processes with NATS servers of their own, each at an address of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::host::wicker;
use crate::{LoneHost, eventually};

/// Tells the machines of one test from those of others in this process.
static TESTS: AtomicU32 = AtomicU32::new(0);

/// The machines of one test, which reach each other on the loopback.
#[derive(Debug)]
pub struct TestMachines {
    folder: TempDir,
    net: String,
    nats_server: PathBuf,
}

impl TestMachines {
    /// Machines that run this `nats-server`.
    ///
    /// # Panics
    /// There is no room for their files.
    #[expect(clippy::expect_used, reason = "a test without its folder cannot go on")]
    #[must_use]
    pub fn with(nats_server: PathBuf) -> Self {
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        let net = std::process::id().wrapping_mul(8).wrapping_add(test) % 64000;
        let net = format!("127.{}.{}", net / 256 + 1, net % 256);
        Self { folder: tempfile::tempdir().expect("a temporary directory"), net, nats_server }
    }

    /// Starts machine `number`, for the first or another time; `join`: the line of another one.
    pub async fn start(&self, number: u8, join: Option<&str>) -> LoneHost {
        let address = format!("{}.{number}", self.net);
        let mut args = vec!["--nats-listen", "127.0.0.1:0", "--address", &address];
        args.extend(join.into_iter().flat_map(|join| ["--join", join]));
        LoneHost::start_with(self.wicker(), &self.data(number), &args).await
    }

    /// Starts machine `number`, which must not be let in: what it said.
    ///
    /// # Panics
    /// It starts all the same.
    #[expect(clippy::expect_used, reason = "these are bugs of the test or of the program")]
    pub async fn refused(&self, number: u8, join: &str) -> String {
        let mut command = self.wicker();
        command.arg("--data").arg(self.data(number)).args(["up", "--http", "127.0.0.1:0"]);
        command.args(["--nats-listen", "127.0.0.1:0", "--join", join]).stdin(Stdio::null());
        let output = tokio::time::timeout(crate::WAIT, command.output());
        let output = output.await.expect("it gives up in time").expect("wicker runs");
        assert!(!output.status.success(), "it was let in");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn wicker(&self) -> Command {
        let mut command = wicker();
        command.env("WICKER_NATS_SERVER", &self.nats_server);
        command
    }

    /// The data directory of machine `number`.
    #[must_use]
    pub fn data(&self, number: u8) -> PathBuf {
        self.folder.path().join(format!("machine-{number}"))
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What machine `number` is to the others, as its data directory says.
    #[must_use]
    pub fn role(&self, number: u8) -> Option<Value> {
        let text = std::fs::read_to_string(self.data(number).join("nats/machine.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok()?.get("role").cloned()
    }

    /// Where other machines reach machine `number`.
    ///
    /// # Panics
    /// It was never started.
    #[must_use]
    #[expect(clippy::expect_used, reason = "this is a bug of the test")]
    pub fn address(&self, number: u8) -> String {
        let text = std::fs::read_to_string(self.data(number).join("nats/machine.json"));
        let place: Value = serde_json::from_str(&text.expect("it was started")).expect("JSON");
        place.get("address").and_then(Value::as_str).expect("it has an address").to_owned()
    }

    /// Waits until machine `number` runs a server that is to keep the state with two others.
    pub async fn is_forming(&self, number: u8) {
        let file = self.data(number).join("nats/forming.pid");
        eventually("a server is formed", || async { file.exists().then_some(()) }).await;
    }

    /// Waits until machines 1 to 3 keep the state together, and all their servers answer.
    pub async fn are_three(&self) {
        eventually("three machines keep the state", || async {
            (1..=3)
                .all(|number| {
                    self.role(number).is_some_and(|role| role.get("server").is_some())
                        && self.data(number).join("nats.pid").exists()
                        && !self.data(number).join("nats/forming.pid").exists()
                })
                .then_some(())
        })
        .await;
    }
}

/// Runs a verb on the machine of `host`: what it printed, as JSON.
///
/// # Errors
/// It failed: its stderr.
pub async fn verb(host: &LoneHost, args: &[&str]) -> Result<Value, String> {
    let mut command = wicker();
    command.args(["--nats", host.nats(), "--output", "json"]).args(args).stdin(Stdio::null());
    let output = command.output().await.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

impl LoneHost {
    /// The machine loses its power: host and NATS servers are gone at once.
    ///
    /// # Panics
    /// The host runs no longer.
    #[expect(clippy::expect_used, reason = "the processes are ours and run")]
    pub async fn lose(mut self) {
        self.child.start_kill().expect("the host runs");
        self.child.wait().await.expect("the host has ended");
    }
}

impl Drop for LoneHost {
    fn drop(&mut self) {
        // A host that is killed leaves its servers to the next one; after a test there is none.
        for name in ["nats.pid", "nats/forming.pid", "nats/frozen.pid"] {
            let pid = std::fs::read_to_string(self.data.join(name)).unwrap_or_default();
            let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
            let line = |pid: Pid| std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
            if let Some(pid) = pid
                && line(pid).is_ok_and(|line| {
                    String::from_utf8_lossy(&line).contains(&*self.data.to_string_lossy())
                })
            {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
