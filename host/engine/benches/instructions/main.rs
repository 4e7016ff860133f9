//! How many instructions the paths take that every request pays for, compared with the baseline that is kept beside
//! this file. Instructions repeat where times do not, so this can say "slower" on a busy machine.
//!
//! Method: callgrind counts a whole process that does one thing N times, and one that does it 2N times; the difference is
//! N times that thing, and what both do besides cancels out. Workspace crates are optimised as `make gates` says; debug
//! assertions are in, so the numbers compare with each other only.
//!
//! Run: `make gates`; `make gates ARGS=--accept` takes what it finds for the new baseline.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench prints its results, and ends when something is wrong"
)]
#![allow(dead_code, reason = "the guests of the tests can do more")]

#[path = "../../tests/engine/guest.rs"]
mod guest;

mod callgrind;
mod gates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use gates::{GATES, Gate};

/// Above what the baseline says, in percent: more fails.
const MARGIN_PERCENT: f64 = 10.0;

/// The baseline: instructions each time, by gate.
type Counts = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        ["run", gate, times, cache] => run(gate, times, Path::new(cache)).map(|()| true),
        words if words.contains(&"--accept") => accept().map(|()| true),
        _ => compare(),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, times: &str, cache: &Path) -> Result<()> {
    let gate = GATES.iter().find(|gate| gate.name == name).context("no such gate")?;
    (gate.run)(times.parse()?, cache);
    Ok(())
}

fn compare() -> Result<bool> {
    let baseline: Counts = serde_json::from_slice(&std::fs::read(file())?)?;
    println!("{:<44} {:>12} {:>12} {:>8}", "instructions", "baseline", "now", "change");
    let mut passed = true;
    let cache = tempfile::tempdir()?;
    for gate in GATES {
        let now = count(gate, cache.path())?;
        let before = *baseline.get(gate.name).context("a new gate: make gates ARGS=--accept")?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let change = (now as f64 / before as f64 - 1.0) * 100.0;
        let is_worse = change > MARGIN_PERCENT;
        passed &= !is_worse;
        let verdict = if is_worse { "  <- worse" } else { "" };
        println!("{:<44} {before:>12} {now:>12} {change:>+6.1} %{verdict}", gate.name);
    }
    if !passed {
        println!("more than {MARGIN_PERCENT} % worse; if that is meant: make gates ARGS=--accept");
    }
    Ok(passed)
}

fn accept() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let counted = GATES.iter().map(|gate| Ok((gate.name.to_owned(), count(gate, cache.path())?)));
    let counts = counted.collect::<Result<Counts>>()?;
    let text = serde_json::to_string_pretty(&counts)? + "\n";
    print!("{text}");
    Ok(std::fs::write(file(), text)?)
}

/// Where the baseline is kept.
fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.json")
}

/// Instructions of one time.
fn count(gate: &Gate, cache: &Path) -> Result<u64> {
    let measure = |times: u32| {
        callgrind::instructions(&["run", gate.name, &times.to_string(), &cache.to_string_lossy()])
            .with_context(|| format!("cannot count {}", gate.name))
    };
    if gate.needs_artifact {
        // What is compiled here is in the cache for the runs that count.
        measure(0)?;
    }
    let (once, twice) = (measure(gate.times)?, measure(2 * gate.times)?);
    Ok(twice.saturating_sub(once) / u64::from(gate.times))
}
