//! Machines in network namespaces, with wires between them that a test can cut: one way or both. Needs root and `ip`.

use std::process::Command as Blocking;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::process::Command;

use crate::LoneHost;
use crate::host::wicker;

/// Tells the namespaces of one test from those of others in this process.
static TESTS: AtomicU32 = AtomicU32::new(0);

/// Machines on one switch. They and their wires are gone with this value.
#[derive(Debug)]
pub struct Namespaces {
    prefix: String,
    machines: u8,
    folder: tempfile::TempDir,
}

/// A wire that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing that the machine sends arrives.
    Outgoing,
    /// Nothing that others send to it arrives.
    Incoming,
    /// The cable is pulled.
    Both,
}

impl Namespaces {
    /// Makes machines 1 to `machines`, at the addresses 10.77.0.1 and so on.
    ///
    /// # Panics
    /// This is not root, or `ip` (package iproute2) is missing.
    #[expect(clippy::expect_used, reason = "a test without its folder cannot go on")]
    #[must_use]
    pub fn new(machines: u8) -> Self {
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("wicker-{}-{test}", std::process::id());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let made = Self { prefix, machines, folder };
        let switch = made.name(0);
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "add", "name", "bridge", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "bridge", "up"]);
        for number in 1..=machines {
            let (machine, port) = (made.name(number), format!("port{number}"));
            ip(&["netns", "add", &machine]);
            let wire = ["type", "veth", "peer", "name", &port, "netns", &switch];
            ip(&[&["-n", &machine, "link", "add", "name", "wire"], &wire[..]].concat());
            ip(&["-n", &switch, "link", "set", &port, "master", "bridge", "up"]);
            ip(&["-n", &machine, "addr", "add", &format!("{}/24", address(number)), "dev", "wire"]);
            ip(&["-n", &machine, "link", "set", "lo", "up"]);
            ip(&["-n", &machine, "link", "set", "wire", "up"]);
        }
        made
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Starts `wicker up` on a machine; `join`: the line of another one.
    pub async fn start(&self, number: u8, join: Option<&str>) -> LoneHost {
        let address = address(number);
        let mut args = vec!["--nats-listen", "127.0.0.1:0", "--address", &address];
        args.extend(join.into_iter().flat_map(|join| ["--join", join]));
        let data = self.folder.path().join(format!("machine-{number}"));
        LoneHost::start_with(self.command(number, &wicker()), &data, &args).await
    }

    /// Runs a verb on a machine: what it printed, as JSON.
    ///
    /// # Errors
    /// It failed: its stderr.
    pub async fn verb(&self, number: u8, host: &LoneHost, args: &[&str]) -> Result<Value, String> {
        let mut command = self.command(number, &wicker());
        command.args(["--nats", host.nats(), "--output", "json"]).args(args);
        let output = command.output().await.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    }

    /// What the host of a machine answers to `GET /`, asked there.
    pub async fn get(&self, number: u8, host: &LoneHost) -> Option<String> {
        let http = host.started.get("http")?.as_str()?;
        let mut command = self.command(number, &Command::new("curl"));
        command.args(["-s", "-m", "5", &format!("http://{http}/")]);
        let output = command.output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Cuts a machine off.
    pub fn cut(&self, number: u8, cut: Cut) {
        self.change(number, cut, "add", "down");
    }

    /// Makes its wire whole again.
    pub fn mend(&self, number: u8, cut: Cut) {
        self.change(number, cut, "del", "up");
    }

    fn change(&self, number: u8, cut: Cut, route: &str, link: &str) {
        let others = (1..=self.machines).filter(|other| *other != number);
        let blackhole = |at: u8, to: u8| {
            let to = format!("{}/32", address(to));
            ip(&["-n", &self.name(at), "route", route, "blackhole", &to]);
        };
        match cut {
            Cut::Outgoing => others.for_each(|other| blackhole(number, other)),
            Cut::Incoming => others.for_each(|other| blackhole(other, number)),
            Cut::Both => ip(&["-n", &self.name(0), "link", "set", &format!("port{number}"), link]),
        }
    }

    fn name(&self, number: u8) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// `command`, on a machine.
    fn command(&self, number: u8, command: &Command) -> Command {
        let command = command.as_std();
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name(number)]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside.kill_on_drop(true).stdin(std::process::Stdio::null());
        inside
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for number in 0..=self.machines {
            let _ = Blocking::new("ip").args(["netns", "del", &self.name(number)]).status();
        }
    }
}

fn address(number: u8) -> String {
    format!("10.77.0.{number}")
}

#[expect(clippy::expect_used, reason = "a test without its network cannot go on")]
fn ip(args: &[&str]) {
    let output = Blocking::new("ip").args(args).output();
    let output = output.expect("ip runs: `make test-tools` installs iproute2");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said} (this test needs root)", args.join(" "));
}
