//! CPU time of one HTTP request: a component with a fresh instance for each, beside a native hyper server that answers
//! the same, and `wasmtime serve` where it is on the PATH.
//!
//! Method: servers run on core 0, on one thread; a load generator that never sleeps on core 1. What is compared is the
//! CPU time that the kernel accounts to the server (`schedstat`), divided by the requests it answered: that repeats
//! within a few percent where wall-clock time does not. Contestants take turns, and each round's ratio is to the native
//! server of the same round; the median of the rounds is printed.
//!
//! Run: `cargo bench -p wicker-engine --bench http [-- --rounds N --seconds S]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its results")]

mod generator;
mod server;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use generator::Load;

/// Connections that the generator keeps busy.
const CONNECTIONS: usize = 32;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["serve", kind, port] => server::serve(kind, port),
        options => compare(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One server under test.
struct Contestant {
    name: &'static str,
    process: Child,
    load: Load,
    /// Microseconds of CPU a request, one a round.
    rounds: Vec<f64>,
    answered: u64,
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // It may have ended by itself; nothing else is to be done about it here.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl Contestant {
    fn start(name: &'static str, command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = free_port()?;
        let process = command(port).stdout(Stdio::null()).spawn();
        let process = process.with_context(|| format!("cannot start {name}"))?;
        let load =
            Load::connect(port, CONNECTIONS).with_context(|| format!("{name} does not answer"))?;
        Ok(Self { name, process, load, rounds: Vec::new(), answered: 0 })
    }

    fn round(&mut self, time: Duration) -> Result<()> {
        let before = cpu(self.process.id())?;
        let answered = self.load.run(time)?;
        let used = cpu(self.process.id())?.saturating_sub(before);
        self.answered += answered;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        self.rounds.push(used as f64 / 1000.0 / answered as f64);
        Ok(())
    }

    fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn compare(options: &[&str]) -> Result<()> {
    let option = |name: &str, default: f64| -> f64 {
        let at = options.iter().position(|word| *word == name);
        at.and_then(|at| options.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let rounds = option("--rounds", 7.0) as usize;
    let time = Duration::from_secs_f64(option("--seconds", 0.8));

    let wasm = artifacts::guest("http-hello");
    let own = std::env::current_exe()?;
    let serve = |kind: &'static str| {
        let own = own.clone();
        move |port: u16| {
            let mut command = pinned(&own);
            command.args(["serve", kind, &port.to_string()]);
            command
        }
    };
    let mut contestants = vec![
        Contestant::start("native hyper", serve("native"))?,
        Contestant::start("component, fresh instance", serve("fresh"))?,
        Contestant::start("component, warm instance", serve("warm"))?,
    ];
    if Command::new("wasmtime").arg("--version").stdout(Stdio::null()).status().is_ok() {
        contestants.push(Contestant::start("wasmtime serve, defaults", |port| {
            let mut command = pinned(Path::new("wasmtime"));
            command.args(["serve", "-S", "cli", "--addr", &format!("127.0.0.1:{port}")]).arg(&wasm);
            command
        })?);
    }
    generator::pin_self();
    for _ in 0..rounds {
        for contestant in &mut contestants {
            contestant.round(time)?;
        }
    }
    report(&mut contestants);
    Ok(())
}

fn report(contestants: &mut [Contestant]) {
    let native = contestants.first().map_or(f64::NAN, Contestant::median);
    println!(
        "{:<28} {:>14} {:>12} {:>10} {:>8}",
        "server", "CPU us/request", "of native", "requests", "p99 us"
    );
    for contestant in contestants.iter_mut() {
        let (median, requests) = (contestant.median(), contestant.answered);
        let (share, p99) = (100.0 * native / median, contestant.load.p99().as_micros());
        let name = contestant.name;
        println!("{name:<28} {median:>14.2} {share:>11.0}% {requests:>10} {p99:>8}");
    }
}

/// A command on core 0, where `taskset` is there to put it.
fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// CPU time that a process used so far, nanoseconds, all its threads together.
fn cpu(process: u32) -> Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between the two reads.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
