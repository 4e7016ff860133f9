//! One `wicker up` process of a test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use wicker_lattice::id::ProcessId;

/// A running host; killed with this value, if it still runs then.
#[derive(Debug)]
pub struct TestHost {
    pub(crate) child: Child,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Its id in the lattice.
    pub process: ProcessId,
    /// Its log.
    pub log: PathBuf,
}

impl TestHost {
    /// The operating system's id of its process.
    ///
    /// # Panics
    /// It has ended.
    #[must_use]
    pub fn pid(&self) -> Pid {
        #[expect(
            clippy::expect_used,
            reason = "asking for the id of an ended host is a bug in the test"
        )]
        let raw = self.child.id().expect("the host runs");
        #[expect(clippy::expect_used, reason = "a process has an id")]
        let pid = i32::try_from(raw).ok().and_then(Pid::from_raw).expect("a process has an id");
        pid
    }

    /// `kill -9`: it gets no chance to say goodbye.
    ///
    /// # Panics
    /// It has ended already.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Freezes it (`SIGSTOP`) or thaws it (`SIGCONT`), or sends what else the test wants.
    ///
    /// # Panics
    /// It has ended already.
    pub fn signal(&self, signal: Signal) {
        #[expect(clippy::expect_used, reason = "the process is ours and runs")]
        kill_process(self.pid(), signal).expect("the host can be signalled");
        // A thread that runs just then goes on for a moment, and may answer.
        while signal == Signal::STOP && !self.is_stopped() {
            std::thread::yield_now();
        }
    }

    /// Whether each of its threads is.
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_nonzero()));
        tasks.into_iter().flatten().flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    }

    /// Asks it to stop (`SIGTERM`) and waits until it has.
    ///
    /// # Panics
    /// It does not end within [`crate::WAIT`].
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// It does not within [`crate::WAIT`].
    pub async fn ended(&mut self) -> ExitStatus {
        #[expect(clippy::expect_used, reason = "a host that does not stop fails the test")]
        let ended = tokio::time::timeout(crate::WAIT, self.child.wait())
            .await
            .expect("the host stops in time");
        #[expect(clippy::expect_used, reason = "waiting for a child does not fail")]
        let status = ended.expect("the host can be waited for");
        status
    }

    /// The most memory that it ever had resident, bytes.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> u64 {
        peak_memory_bytes(self.pid())
    }

    /// The processes that it has launched and that still run.
    #[must_use]
    pub fn children(&self) -> Vec<Pid> {
        let us = self.pid().as_raw_nonzero();
        let children =
            std::fs::read_to_string(format!("/proc/{us}/task/{us}/children")).unwrap_or_default();
        let threads = std::fs::read_dir(format!("/proc/{us}/task")).into_iter().flatten().flatten();
        let all = threads
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let mut found: Vec<Pid> = all
            .chain([children])
            .flat_map(|text| {
                text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
            })
            .filter_map(Pid::from_raw)
            .collect();
        found.sort_by_key(|pid| pid.as_raw_nonzero());
        found.dedup();
        found
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The most memory that a process ever had resident, bytes.
#[must_use]
pub fn peak_memory_bytes(process: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()));
    let status = status.unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib << 10
}

/// Has the program compile the component in file `wasm` before any host needs it: for one so large that a host on a busy
/// machine would take longer than tests wait for anything.
///
/// # Panics
/// It does not compile.
#[expect(clippy::expect_used, reason = "a test without its component cannot go on")]
pub async fn compile(wasm: &Path) {
    let file = std::fs::File::open(wasm).expect("the component was built");
    let done = wicker().arg("compile").arg(cache()).stdin(file).status().await;
    assert!(done.expect("wicker starts").success(), "cannot compile {}", wasm.display());
}

/// Where all hosts of all tests keep compiled components.
fn cache() -> PathBuf {
    program().with_file_name("artifacts")
}

/// The `wicker` program under test: the one built beside this test.
///
/// # Panics
/// It was not built.
#[must_use]
pub(crate) fn wicker() -> Command {
    let mut command = Command::new(program());
    // What the developer has set for hosts of their own must not leak into the tests.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WICKER_") {
            command.env_remove(name);
        }
    }
    // Compiled once for all hosts of all tests: what a cold cache costs is measured by `make bench`.
    command.env("WICKER_CACHE", cache());
    command.kill_on_drop(true);
    command
}

/// Where it is.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn program() -> PathBuf {
    #[expect(clippy::expect_used, reason = "a running test has a path")]
    let test = std::env::current_exe().expect("a running test has a path");
    let program = test.parent().and_then(Path::parent).map(|folder| folder.join("wicker"));
    #[expect(clippy::panic, reason = "nothing can be tested without the program")]
    program.filter(|program| program.exists()).unwrap_or_else(|| {
        panic!("wicker is not built: run `cargo build --workspace --bins` or `make test`")
    })
}
