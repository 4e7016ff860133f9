//! What a whole host costs beyond its requests: starting, holding connections and components, streaming, growing with
//! the lattice, and doing nothing.
//!
//! Every part is a module that says how it measures; all of them run the release build of `wicker` on a NATS server and in a folder of
//! their own. A line that begins with `goal:` is a row of the table at the top of docs/benchmarks.md.
//!
//! Run: `cargo bench -p integration-tests --bench host [-- PART...]`, after `make build`; without a PART, all.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::large_futures,
    reason = "a bench prints its results, and ends when something is wrong"
)]

mod bodies;
mod compute;
mod connections;
mod crowd;
mod deploy;
#[path = "../../../lattice/examples/rpc_latency/goal.rs"]
mod goal;
mod growth;
mod idle;
mod process;
mod repoint;
mod simulated;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

/// The parts, in the order in which they run.
const PARTS: [&str; 9] =
    ["start", "compute", "bodies", "connections", "repoint", "idle", "growth", "crowd", "deploy"];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, port] = &words[..]
        && word == "native-echo"
    {
        return bodies::serve(port);
    }
    let parts: Vec<&str> = match &words[..] {
        [] => PARTS.to_vec(),
        words => words.iter().map(String::as_str).collect(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        for part in parts {
            println!("\n### {part}\n");
            match part {
                "start" => start::measure().await?,
                "compute" => compute::measure().await?,
                "bodies" => bodies::measure().await?,
                "connections" => connections::measure().await?,
                "repoint" => repoint::measure().await?,
                "idle" => idle::measure().await?,
                "growth" => growth::measure().await?,
                "crowd" => crowd::measure().await?,
                "deploy" => deploy::measure().await?,
                other => bail!("there is no part `{other}`; parts are {}", PARTS.join(", ")),
            }
        }
        Ok(())
    })
}

/// The value at `percent` of the sorted `times`.
fn at(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// A file for one test component under a digest of its own: a custom section makes the difference.
fn copy_of(wasm: &[u8], number: usize, folder: &Path) -> Result<PathBuf> {
    let mut copy = wasm.to_vec();
    copy.extend_from_slice(&[0, 6, 1, b'n']);
    copy.extend_from_slice(&u32::try_from(number)?.to_le_bytes());
    let file = folder.join(format!("copy-{number}.wasm"));
    std::fs::write(&file, copy)?;
    Ok(file)
}
