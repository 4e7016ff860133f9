//! Counts the instructions of a process with valgrind's callgrind.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Instructions of this program, run with `arguments`.
pub(crate) fn instructions(arguments: &[&str]) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Guests run on stacks of their own.
        .arg("--max-stackframe=8388608")
        .arg(std::env::current_exe()?)
        .args(arguments)
        .output()
        .context("cannot run valgrind; `make test-tools` installs it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it failed under valgrind: {said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.with_context(|| format!("valgrind says no count: {said}"))?;
    Ok(count.trim().parse()?)
}
