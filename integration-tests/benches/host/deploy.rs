//! 500 components that were never compiled, deployed at once, while one connection asks another component a request a millisecond:
//! what those requests wait, before and meanwhile.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::{TestHost, TestLattice, eventually};

use crate::goal::goal;
use crate::{at, copy_of, ms};

const COMPONENTS: usize = 500;

pub(crate) async fn measure() -> Result<()> {
    let lattice = TestLattice::start().await;
    let wasm = std::fs::read(artifacts::guest("http-hello"))?;
    let file = lattice.folder().join("steady.yaml");
    let text = "application: steady\ncomponents:\n  hello: WASM\nroutes:\n  /: hello\n";
    std::fs::write(
        &file,
        text.replace("WASM", &artifacts::guest("http-hello").display().to_string()),
    )?;
    let cache = lattice.folder().join("artifacts");
    let host =
        lattice.host(&["--cache", &cache.display().to_string(), &file.display().to_string()]).await;
    eventually("the first answer", || async {
        (lattice.web.get(host.http, "/").await.ok()?.status == 200).then_some(())
    })
    .await;
    let mut text = "application: many\ncomponents:\n".to_owned();
    for number in 0..COMPONENTS {
        writeln!(text, "  c{number}: {}", copy_of(&wasm, number, lattice.folder())?.display())?;
    }
    let file = lattice.folder().join("many.yaml");
    std::fs::write(&file, text)?;

    let stop = AtomicBool::new(false);
    let before = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stop.store(true, Ordering::Release);
    };
    let (quiet, ()) = tokio::join!(ask(&lattice, &host, &stop), before);
    stop.store(false, Ordering::Release);
    let deploying = async {
        let begun = Instant::now();
        lattice.wicker(&["deploy", &file.display().to_string(), "--timeout", "900"]).await;
        stop.store(true, Ordering::Release);
        begun.elapsed()
    };
    let (busy, took) = tokio::join!(ask(&lattice, &host, &stop), deploying);
    let (mut quiet, mut busy) = (quiet?, busy?);
    println!("| | requests | p50 | p99 | slowest |\n|---|---|---|---|---|");
    for (name, times) in [("before", &mut quiet), ("while 500 are compiled", &mut busy)] {
        println!(
            "| {name} | {} | {} | {} | {} |",
            times.len(),
            ms(at(times, 50)),
            ms(at(times, 99)),
            ms(*times.last().unwrap())
        );
    }
    println!("\nThe deployment took {:.0} s.", took.as_secs_f64());
    let ratio = at(&mut busy, 99).as_secs_f64() / at(&mut quiet, 99).as_secs_f64();
    goal(
        "requests while 500 components are deployed, p99",
        "`wicker up`, of before",
        &ms(at(&mut busy, 99)),
        &format!("{ratio:.2}x"),
        "1x within noise",
        ratio <= 1.5,
    );
    Ok(())
}

async fn ask(lattice: &TestLattice, host: &TestHost, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut every = tokio::time::interval(Duration::from_millis(1));
    while !stop.load(Ordering::Acquire) {
        every.tick().await;
        let begun = Instant::now();
        ensure!(lattice.web.get(host.http, "/").await?.status == 200, "a request failed");
        times.push(begun.elapsed());
    }
    Ok(times)
}
