//! Cold start in a running engine: a component whose compiled artifact lies in the cache and that is not loaded, until
//! its first response; in parts, and against a request to a component that is loaded.
//!
//! Method: one thread; every round loads the bytes anew, makes an actor, asks it once, and drops both. The artifact stays in the
//! system's page cache, as after a restart of the host. Minimum and median of many rounds.
//!
//! Run: `cargo bench -p wicker-engine --bench cold`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "../../../lattice/examples/rpc_latency/goal.rs"]
mod goal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use wicker_engine::http::Incoming;
use wicker_engine::log::NoLog;
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig, Program};
use wicker_lattice::link::Links;

const ROUNDS: usize = 300;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let config =
        EngineConfig { cache: Some(cache.path().join("artifacts")), ..EngineConfig::default() };
    let engine = Engine::new(config.clone())?;
    let wasm: Bytes = std::fs::read(artifacts::guest("http-hello"))?.into();

    let begun = Instant::now();
    let program = engine.load(wasm.clone()).await?;
    println!("{:<44} {:>9.1} ms", "compiled, once", begun.elapsed().as_secs_f64() * 1e3);
    // Of an engine of its own: a program that is in use is not loaded again.
    let loaded = actor(&engine, program)?;
    let engine = Engine::new(config)?;

    let (mut loads, mut firsts, mut colds, mut warms) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let program = engine.load(wasm.clone()).await?;
        let at_load = begun.elapsed();
        let fresh = actor(&engine, program)?;
        ask(&fresh).await?;
        colds.push(begun.elapsed());
        loads.push(at_load);
        firsts.push(begun.elapsed().saturating_sub(at_load));

        let begun = Instant::now();
        ask(&loaded).await?;
        warms.push(begun.elapsed());
    }
    println!("{:<44} {:>12} {:>12}", "", "min us", "median us");
    line("load from the artifact cache", loads);
    line("actor, fresh instance, first response", firsts);
    let cold = line("both: cold start", colds);
    line("a request when it is loaded, fresh instance", warms);
    let what = "cold start from the artifact cache, p50";
    goal::goal(what, "engine", &format!("{cold:.0} µs"), "", "200 µs", cold <= 200.0);
    Ok(())
}

fn actor(engine: &Engine, program: Arc<Program>) -> Result<Arc<Actor>> {
    let config = ActorConfig::new("default/bench/hello".parse()?, Arc::new(NoLog));
    Ok(Actor::new(engine, program, config, Arc::new(Links::default()))?)
}

async fn ask(actor: &Actor) -> Result<()> {
    let request = Request::get("http://bench.example/").body(Empty::<Bytes>::new())?;
    let response = actor.http(request, Incoming::default()).await?;
    ensure!(response.status() == 200, "the component answered {}", response.status());
    let body = response.into_body().collect().await.map_err(|error| anyhow::anyhow!(error))?;
    ensure!(!body.to_bytes().is_empty(), "the component answered nothing");
    Ok(())
}

/// Prints the line, and returns the median in microseconds.
fn line(what: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let micros = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6);
    let (least, median) = (micros(times.first()), micros(times.get(times.len() / 2)));
    println!("{what:<44} {least:>12.1} {median:>12.1}");
    median
}
