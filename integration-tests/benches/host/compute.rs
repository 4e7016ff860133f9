//! A component that only computes, beside the `wasmtime` CLI on the same file. They take turns; the fastest of each counts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::program;

use crate::goal::goal;
use crate::ms;

const ROUNDS: usize = 5;

#[expect(clippy::unused_async, reason = "as the other parts")]
pub(crate) async fn measure() -> Result<()> {
    let guest = artifacts::guest("command");
    let mut wicker = Command::new(program());
    wicker.arg("run").arg(&guest).args(["--", "fib", "42"]);
    let mut wasmtime = Command::new("wasmtime");
    wasmtime.arg("run").arg(&guest).args(["fib", "42"]);
    let ours = time(&mut wicker)?;
    let Ok(theirs) = time(&mut wasmtime) else {
        println!("`wasmtime` is not on the PATH: not compared. `wicker run`: {}", ms(ours));
        return Ok(());
    };
    let (mut ours, mut theirs) = (ours, theirs);
    for _ in 0..ROUNDS {
        ours = ours.min(time(&mut wicker)?);
        theirs = theirs.min(time(&mut wasmtime)?);
    }
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("fib(42), start included: `wicker run` {}, `wasmtime run` {}", ms(ours), ms(theirs));
    goal(
        "fib(42)",
        "`wicker run`, of the `wasmtime` CLI",
        &ms(ours),
        &format!("{ratio:.2}x"),
        "1.01x",
        ratio <= 1.01,
    );
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(done.success(), "{} failed", Path::new(command.get_program()).display());
    Ok(begun.elapsed())
}
