//! CPU time of one HTTP request, as a user of `wicker up` gets it, beside a native hyper server and `wasmtime serve`.
//!
//! Method: servers on core 0, a load generator that never sleeps on core 1. What is compared is the CPU time that the
//! kernel accounts to the server (`schedstat`, all threads), divided by the requests it answered: that repeats within a
//! few percent where wall-clock time does not. Contestants take turns, five rounds or more; the median counts. All
//! answer 200 with the same greeting; `wicker up` and `wasmtime serve` run the same component, a fresh instance for
//! each request unless it says warm.
//!
//! Prints a table in Markdown; `make bench` puts it into `docs/benchmarks.md`.
//!
//! Run: `cargo bench -p integration-tests --bench http [-- --rounds N --seconds S]`, after `make build guests`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its results")]

#[path = "../../../host/engine/benches/http/generator.rs"]
mod generator;
#[path = "../../../lattice/examples/rpc_latency/goal.rs"]
mod goal;
mod native;
mod wicker;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use generator::Load;
use goal::goal;
use wicker_lattice::testing::NatsServer;

/// Connections that the generator keeps busy.
const CONNECTIONS: usize = 32;

/// How long a server may take to start; a host compiles its component first.
const START_TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["native", port] => native::serve(port),
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
pub(crate) struct Contestant {
    name: &'static str,
    server: Server,
    load: Load,
    /// Microseconds of CPU a request, one a round.
    rounds: Vec<f64>,
    answered: u64,
    _folder: Option<tempfile::TempDir>,
}

/// The process that answers. Ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // A host stops what it has started when it is asked to; killed, it could not.
        _ = Command::new("kill").arg(self.0.id().to_string()).status();
        _ = self.0.wait();
    }
}

impl Contestant {
    /// Starts `command`, which serves on `port`.
    pub(crate) fn start(
        name: &'static str,
        port: u16,
        mut command: Command,
        folder: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().with_context(|| format!("cannot start {name}"))?;
        let server = Server(process);
        until_it_answers(port).with_context(|| format!("{name} does not answer"))?;
        let load = Load::connect(port, CONNECTIONS)?;
        Ok(Self { name, server, load, rounds: Vec::new(), answered: 0, _folder: folder })
    }

    fn round(&mut self, time: Duration) -> Result<()> {
        let before = cpu(self.server.0.id())?;
        let answered = self.load.run(time)?;
        let used = cpu(self.server.0.id())?.saturating_sub(before);
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

    fn spread(&self) -> (f64, f64) {
        let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.rounds.iter().copied().fold(0.0, f64::max);
        (least, most)
    }
}

/// Waits for the first 200: a host listens before its component is compiled and its route is there.
fn until_it_answers(port: u16) -> Result<()> {
    let end = Instant::now() + START_TIMEOUT;
    loop {
        let answer = ask_once(port);
        if answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("the last answer was: {answer:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ask_once(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(START_TIMEOUT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: bench.example\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn compare(options: &[&str]) -> Result<()> {
    let option = |name: &str, default: f64| -> f64 {
        let at = options.iter().position(|word| *word == name);
        at.and_then(|at| options.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let rounds = (option("--rounds", 7.0) as usize).max(1);
    let time = Duration::from_secs_f64(option("--seconds", 0.8));

    // Outlives the hosts, which are dropped first.
    let nats = tokio::runtime::Runtime::new()?.block_on(NatsServer::start());
    let mut contestants = vec![
        native::contestant()?,
        wicker::contestant("`wicker up`, fresh instance", 0, &nats)?,
        wicker::contestant("`wicker up`, warm instances", 64, &nats)?,
    ];
    let wasmtime = wasmtime();
    if let Some(version) = &wasmtime {
        println!("`wasmtime serve` is {version}.\n");
        contestants.push(wasmtime_serve("`wasmtime serve`, defaults", &[])?);
        let reuse = ["--max-instance-reuse-count", "128"];
        contestants.push(wasmtime_serve("`wasmtime serve`, reuse 128", &reuse)?);
    } else {
        println!("`wasmtime` is not on the PATH: `wasmtime serve` was not measured.\n");
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
    println!("| server | CPU µs/request | rounds | CPU of native | p99 | requests |");
    println!("|---|---|---|---|---|---|");
    let mut p99s = Vec::new();
    for contestant in contestants.iter_mut() {
        let p99 = contestant.load.p99();
        let (median, requests) = (contestant.median(), contestant.answered);
        let (least, most) = contestant.spread();
        let name = contestant.name;
        let times = median / native;
        println!(
            "| {name} | {median:.2} | {least:.2} to {most:.2} | {times:.2}x | {p99:.0?} | {requests} |"
        );
        p99s.push(p99.as_secs_f64());
    }
    let cpu: Vec<f64> = contestants.iter().map(Contestant::median).collect();
    if let [native, fresh, warm, rest @ ..] = &cpu[..] {
        let figure = |cpu: &f64| format!("{cpu:.1} µs of CPU a request");
        if let [serve, ..] = rest {
            let times = serve / fresh;
            let what = "HTTP, fresh instance: less CPU than `wasmtime serve`";
            let is_reached = times >= 4.0;
            goal(what, "`wicker up`", &figure(fresh), &format!("{times:.2}x"), "4x", is_reached);
        }
        for (what, cpu, percent) in [("fresh", fresh, 25.0), ("warm", warm, 55.0)] {
            let (what, share) =
                (format!("HTTP, {what} instance, of native hyper"), native / cpu * 100.0);
            let (ratio, bound) = (format!("{share:.0} %"), format!("{percent} %"));
            goal(&what, "`wicker up`", &figure(cpu), &ratio, &bound, share >= percent);
        }
    }
    if let [native, fresh, ..] = &p99s[..] {
        let (figure, times) = (format!("{:.0} µs", fresh * 1e6), fresh / native);
        let what = "HTTP, p99 of 32 connections, of native hyper";
        goal(what, "`wicker up`, fresh", &figure, &format!("{times:.2}x"), "2x", times <= 2.0);
    }
}

/// What `wasmtime --version` says, if it is there.
fn wasmtime() -> Option<String> {
    let output = Command::new("wasmtime").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn wasmtime_serve(name: &'static str, options: &[&str]) -> Result<Contestant> {
    let port = free_port()?;
    let mut command = pinned(Path::new("wasmtime"));
    command.args(["serve", "-S", "cli", "--addr", &format!("127.0.0.1:{port}")]);
    command.args(options).arg(hello());
    Contestant::start(name, port, command, None)
}

/// The component that everybody serves.
pub(crate) fn hello() -> PathBuf {
    root().join("examples/hello/hello.wasm")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A command on core 0, where `taskset` is there to put it.
pub(crate) fn pinned(program: &Path) -> Command {
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

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
