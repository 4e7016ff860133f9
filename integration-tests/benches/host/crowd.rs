//! 5,000 components on one host, each with a route, under random traffic from 64 connections, and what `wicker ps` takes then.
//!
//! They are of 50 digests: what differs by digest is its mapped code, which the `density` bench of the engine measures. Compiling 5,000
//! would take the better part of an hour.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::join_all;
use integration_tests::{TestHost, TestLattice};

use crate::goal::goal;
use crate::process::{memory, mib};
use crate::{at, copy_of, ms};

pub(crate) const COMPONENTS: usize = 5_000;
const DIGESTS: usize = 50;
const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(20);

pub(crate) async fn measure() -> Result<()> {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let pid = host.pid().as_raw_nonzero().get();
    deploy(&lattice, COMPONENTS, DIGESTS).await?;
    let (mut times, failed) = traffic(&lattice, &host, COMPONENTS).await?;
    let (count, p50, p99) = (times.len(), at(&mut times, 50), at(&mut times, 99));
    let most = memory(pid, "VmHWM");
    println!(
        "{COMPONENTS} components: {count} requests to random ones, {failed} failed; p50 {}, p99 {}; {:.0} MiB resident at most, {:.0} MiB of it anonymous at the end",
        ms(p50),
        ms(p99),
        mib(most),
        mib(memory(pid, "RssAnon"))
    );
    let figure = format!("{failed} of {count} failed, {:.0} MiB", mib(most));
    let is_reached = failed == 0 && most <= 2 << 30;
    goal(
        "5,000 components under random traffic",
        "`wicker up`",
        &figure,
        "",
        "none fails, 2 GiB",
        is_reached,
    );

    for (name, arguments) in [("`wicker ps`", &["ps"][..])] {
        let mut times = Vec::new();
        for _ in 0..7 {
            let begun = Instant::now();
            lattice.wicker(arguments).await;
            times.push(begun.elapsed());
        }
        let p50 = at(&mut times, 50);
        println!("{name}: {}", ms(p50));
        goal(
            "`wicker ps` of 5,000 components",
            name,
            &ms(p50),
            "",
            "200 ms",
            p50 < Duration::from_millis(200),
        );
    }
    Ok(())
}

/// Deploys so many components, `c0` at `/c0` and so on, in applications of 500.
pub(crate) async fn deploy(lattice: &TestLattice, components: usize, digests: usize) -> Result<()> {
    let wasm = std::fs::read(artifacts::guest("http-hello"))?;
    let files = (0..digests.min(components)).map(|number| copy_of(&wasm, number, lattice.folder()));
    let files: Vec<_> = files.collect::<Result<_>>()?;
    for first in (0..components).step_by(500) {
        let numbers = || first..components.min(first + 500);
        let mut text = format!("application: crowd-{first}\ncomponents:\n");
        for number in numbers() {
            writeln!(text, "  c{number}: {}", files[number % files.len()].display())?;
        }
        text += "routes:\n";
        for number in numbers() {
            writeln!(text, "  /c{number}: c{number}")?;
        }
        let file = lattice.folder().join("crowd.yaml");
        std::fs::write(&file, text)?;
        lattice.wicker(&["deploy", &file.display().to_string(), "--timeout", "300"]).await;
    }
    Ok(())
}

/// Asks random ones; the times of those that answered 200, and how many did not.
async fn traffic(
    lattice: &TestLattice,
    host: &TestHost,
    components: usize,
) -> Result<(Vec<Duration>, usize)> {
    let end = Instant::now() + TIME;
    let asking = |seed: usize| {
        let (web, address) = (lattice.web.clone(), host.http);
        async move {
            let (mut times, mut failed, mut random) = (Vec::new(), 0, seed);
            while Instant::now() < end {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let begun = Instant::now();
                match web.get(address, &format!("/c{}", (random >> 33) % components)).await {
                    Ok(answer) if answer.status == 200 => times.push(begun.elapsed()),
                    _ => failed += 1,
                }
            }
            (times, failed)
        }
    };
    let (mut times, mut failed) = (Vec::new(), 0);
    for (some, not) in join_all((1..=CONNECTIONS).map(asking)).await {
        times.extend(some);
        failed += not;
    }
    ensure!(!times.is_empty(), "no request was answered");
    Ok((times, failed))
}
