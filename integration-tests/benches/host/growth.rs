//! What one more component, link or host costs every request: CPU of the host for a request to `gateway`, which calls `greeter`
//! over a local link, while the lattice grows around it. The slope is that of CPU over the decades.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::{TestHost, TestLattice, eventually};
use wicker_lattice::store::record::{Link, Scope};

use crate::crowd;
use crate::goal::goal;
use crate::process::cpu;
use crate::simulated::Hosts;

const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

pub(crate) async fn measure() -> Result<()> {
    println!("| what there is | CPU µs/request |\n|---|---|");
    let links = by_links().await?;
    let hosts = by_hosts().await?;
    let components = by_components().await?;
    for (what, figures) in [
        ("1 to 10,000 links", links),
        ("1 to 200 simulated hosts", hosts),
        ("1 to 5,000 components", components),
    ] {
        let (first, last) = (figures[0], figures[figures.len() - 1]);
        let ratio = last / first;
        goal(
            &format!("cost of a request, {what}"),
            "`wicker up`",
            &format!("{first:.1} to {last:.1} µs"),
            &format!("{ratio:.2}x"),
            "flat",
            ratio <= 1.1,
        );
    }
    Ok(())
}

async fn lattice_of_two() -> Result<(TestLattice, TestHost)> {
    let lattice = TestLattice::start().await;
    let text = format!(
        "application: pair\ncomponents:\n  gateway: {}\n  greeter: {}\nroutes:\n  /: gateway\nlinks:\n  gateway:\n    example:greeter: greeter\n",
        artifacts::example("gateway").display(),
        artifacts::example("greeter").display(),
    );
    let file = lattice.folder().join("pair.yaml");
    std::fs::write(&file, text)?;
    let host = lattice.host(&[&file.display().to_string()]).await;
    eventually("the first answer", || async {
        (lattice.web.get(host.http, "/").await.ok()?.status == 200).then_some(())
    })
    .await;
    Ok((lattice, host))
}

/// Microseconds of CPU a request: the median of rounds.
async fn cost(lattice: &TestLattice, host: &TestHost) -> Result<f64> {
    let pid = host.pid().as_raw_nonzero().get();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (used, begun) = (cpu(pid), Instant::now());
        let mut asked = 0_u32;
        while begun.elapsed() < TIME {
            let asking = (0..8).map(|_| lattice.web.get(host.http, "/"));
            for answer in futures::future::join_all(asking).await {
                ensure!(answer?.status == 200, "a request failed");
                asked += 1;
            }
        }
        rounds.push((cpu(pid) - used) / asked);
    }
    Ok(crate::at(&mut rounds, 50).as_secs_f64() * 1e6)
}

async fn by_links() -> Result<Vec<f64>> {
    let (lattice, host) = lattice_of_two().await?;
    let mut figures = vec![cost(&lattice, &host).await?];
    println!("| 1 link | {:.1} |", figures[0]);
    let mut written = 0;
    for count in [100, 1_000, 10_000] {
        for number in written..count {
            lattice.store.put(&link(number)?).await?;
        }
        written = count;
        figures.push(cost(&lattice, &host).await?);
        println!("| {count} links | {:.1} |", figures[figures.len() - 1]);
    }
    Ok(figures)
}

fn link(number: usize) -> Result<Link> {
    Ok(Link {
        source: format!("default/others/c{number}").parse()?,
        scope: Scope::Package("example:greeter@0.1".parse()?),
        name: "default".to_owned(),
        target: "default/pair/greeter".parse()?,
        split: Vec::new(),
        secrets: Default::default(),
        config: std::collections::BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
    })
}

async fn by_hosts() -> Result<Vec<f64>> {
    let (lattice, host) = lattice_of_two().await?;
    let mut figures = vec![cost(&lattice, &host).await?];
    println!("| 1 host | {:.1} |", figures[0]);
    for count in [50, 200] {
        let _others = Hosts::start(lattice.nats.url(), "test", count).await?;
        figures.push(cost(&lattice, &host).await?);
        println!("| {count} simulated hosts more | {:.1} |", figures[figures.len() - 1]);
    }
    Ok(figures)
}

async fn by_components() -> Result<Vec<f64>> {
    let (lattice, host) = lattice_of_two().await?;
    let mut figures = vec![cost(&lattice, &host).await?];
    println!("| 2 components | {:.1} |", figures[0]);
    for count in [100, 1_000, crowd::COMPONENTS] {
        crowd::deploy(&lattice, count, 1).await?;
        figures.push(cost(&lattice, &host).await?);
        println!("| {count} components more | {:.1} |", figures[figures.len() - 1]);
    }
    Ok(figures)
}
