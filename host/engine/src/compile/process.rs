//! Compiling in a process of its own, which has nothing to lose: a component that crashes the compiler or takes all
//! memory ends that process, and its memory goes with it.
//!
//! Both ends are here. The process reads the component from its standard input and leaves the artifact in the artifact
//! directory, its only argument; what is wrong with the component it writes, as JSON, to its standard output.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::artifact::Artifact;
use super::cache::Cache;
use crate::config::{CompilerCommand, EngineConfig};
use crate::digest::digest;
use crate::flavor;
use crate::load_error::{Cause, LoadError};
use crate::report::Report;

/// The lowest priority that cannot starve: a thread that serves gets seventy times its share of a core, at once when it
/// wakes up (requests on two busy cores beside two processes that spin: p99 0.7 ms; at normal priority: 5 ms).
const NICE: i32 = 19;

/// Time on all cores after which the system ends it, for the case that nobody is left who would.
const CPU_SECONDS_MAX: u64 = 3600;

/// Where memory runs out it is to be the first that the system ends.
const OOM_SCORE: &str = "1000";

/// What the process answers with where the component is at fault.
const REFUSED: u8 = 2;

/// The system's way to end a process for want of memory.
const SIGKILL: i32 = 9;

/// How to have components compiled elsewhere.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) command: CompilerCommand,
    /// Longest compilation.
    pub(super) timeout: Duration,
}

impl Settings {
    /// Leaves the artifact of `wasm` in `directory`. Dropping the future ends the process.
    pub(super) async fn compile(&self, directory: &Path, wasm: Bytes) -> Result<(), LoadError> {
        let CompilerCommand { program, arguments } = &self.command;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(directory)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| LoadError::Compiler(error.into()))?;
        let input = child.stdin.take();
        let feed = async {
            if let Some(mut input) = input {
                // One that has ended before it read everything says why in its own way.
                _ = input.write_all(&wasm).await;
            }
        };
        let work = async { tokio::join!(child.wait_with_output(), feed).0 };
        match timeout(self.timeout, work).await {
            Ok(output) => outcome(&output.map_err(|error| LoadError::Compiler(error.into()))?),
            Err(_elapsed) => {
                let seconds = self.timeout.as_secs_f32();
                Err(LoadError::Crashed(format!("it was not done after {seconds} s")))
            }
        }
    }
}

fn outcome(output: &Output) -> Result<(), LoadError> {
    if output.status.success() {
        return Ok(());
    }
    if output.status.code() == Some(REFUSED.into())
        && let Ok(error) = serde_json::from_slice(&output.stdout)
    {
        return Err(error);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let how = format!("{}; {said}", output.status);
    match output.status.signal() {
        Some(SIGKILL) => Err(LoadError::Compiler(Cause::from(io::Error::other(how)))),
        _ => Err(LoadError::Crashed(how)),
    }
}

/// The whole life of a compiler process: compiles standard input into the artifact directory `directory`, which belongs
/// to an engine of this very version. See [`EngineConfig::compiler`](crate::EngineConfig::compiler).
#[must_use]
pub fn compiler_process(directory: &Path) -> ExitCode {
    step_back();
    let Err(error) = compile(directory) else { return ExitCode::SUCCESS };
    let told = serde_json::to_vec(&error).map(|json| io::stdout().write_all(&json));
    match told {
        Ok(Ok(())) => ExitCode::from(REFUSED),
        _ => ExitCode::FAILURE,
    }
}

fn compile(directory: &Path) -> Result<(), LoadError> {
    let broken = |error: io::Error| LoadError::Compiler(error.into());
    let mut wasm = Vec::new();
    io::stdin().read_to_end(&mut wasm).map_err(broken)?;
    let cache = Cache::open(directory).map_err(|error| broken(io::Error::other(error)))?;
    let engines =
        flavor::engines(&Report::find(&EngineConfig { instances: 1, ..EngineConfig::default() }));
    let engines = engines.map_err(|error| LoadError::Compiler(error.into()))?;
    let digest = digest(&wasm);
    if cache.load(&engines, &digest).is_some() {
        // Another host of this user was faster.
        return Ok(());
    }
    let artifact = Artifact::compile(&engines, &wasm)?;
    cache.store(&engines, &digest, &artifact).map_err(broken)
}

/// Makes this process give way to every other. What a container refuses makes it merely less polite.
fn step_back() {
    _ = rustix::process::nice(NICE);
    _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let limit = Rlimit { current: Some(CPU_SECONDS_MAX), maximum: Some(CPU_SECONDS_MAX) };
    _ = rustix::process::setrlimit(Resource::Cpu, limit);
}
