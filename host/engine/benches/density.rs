//! Memory of deployed components that nobody calls just now, and the time that the first call then takes.
//!
//! Method: the same component under many digests (a custom section makes the difference), each an actor of its own;
//! the process's anonymous memory (`/proc/self/smaps_rollup`) before and after, divided by their number. Compiled code is
//! mapped from its file, so the kernel takes it back where it needs the memory.
//!
//! Run: `cargo bench -p wicker-engine --bench density [-- COMPONENTS]`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench prints its results, and ends when something is wrong"
)]

#[path = "../../../lattice/examples/rpc_latency/goal.rs"]
mod goal;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use wicker_engine::http::Incoming;
use wicker_engine::log::NoLog;
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig};
use wicker_lattice::link::Links;

/// `wasm` with a custom section that makes its digest another one.
fn copy(wasm: &[u8], number: u32) -> Bytes {
    let mut copy = wasm.to_vec();
    copy.extend_from_slice(&[0, 6, 1, b'n']);
    copy.extend_from_slice(&number.to_le_bytes());
    copy.into()
}

/// Anonymous memory of this process, in KiB.
fn anonymous() -> i64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Page tables of this process, in KiB.
fn page_tables() -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmPTE:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Mappings of this process; Linux allows 65,530 (`vm.max_map_count`).
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1000_u32);
    let cache = tempfile::tempdir().unwrap();
    let config = EngineConfig { cache: Some(cache.path().into()), ..EngineConfig::default() };
    let wasm = std::fs::read(artifacts::guest("http-hello")).unwrap();
    {
        let engine = Engine::new(config.clone()).unwrap();
        for number in 0..count {
            engine.load(copy(&wasm, number)).await.unwrap();
        }
    }
    let engine = Engine::new(config).unwrap();
    let mut actors = Vec::new();
    let (before, mapped) = (anonymous() + page_tables(), mappings());
    for number in 0..count {
        let program = engine.load(copy(&wasm, number)).await.unwrap();
        let id = format!("default/bench/c{number}").parse().unwrap();
        let config = ActorConfig::new(id, Arc::new(NoLog));
        actors.push(Actor::new(&engine, program, config, Arc::new(Links::default())).unwrap());
    }
    let (used, mapped) = (anonymous() + page_tables() - before, mappings() - mapped);
    let each = |sum: f64| sum / f64::from(count);
    println!(
        "{count} components: {:.1} KiB and {:.1} mappings each",
        each(used as f64),
        each(mapped as f64)
    );
    let mut first = Vec::new();
    for actor in &actors {
        let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).unwrap();
        let start = Instant::now();
        actor.http(request, Incoming::default()).await.unwrap();
        first.push(start.elapsed());
    }
    first.sort_unstable();
    let used = anonymous() + page_tables() - before;
    println!(
        "the first request of each: p50 {:?}, p99 {:?}",
        first[first.len() / 2],
        first[first.len() * 99 / 100]
    );
    println!("after a request of each: {:.1} KiB each", each(used as f64));
    let per_gib = f64::from(1 << 20) / each(used as f64);
    let figure = format!("{:.1} KiB each, page tables included", each(used as f64));
    let what = "deployed components per GiB, each asked once";
    let ratio = format!("{per_gib:.0}");
    goal::goal(what, "engine", &figure, &ratio, "10,000", per_gib >= 10_000.0);
    let p50 = first[first.len() / 2];
    let figure = format!("{:.2} ms", p50.as_secs_f64() * 1e3);
    let what = "first request of an idle component, p50";
    goal::goal(what, "engine", &figure, "", "0.5 ms", p50.as_micros() <= 500);
}
