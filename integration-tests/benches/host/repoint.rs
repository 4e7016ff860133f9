//! From the moment a link's record is being written to that at which every host has seen it: 1 and 100 readers of the state,
//! each on a connection of its own, as hosts are.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::TestLattice;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::store::record::{Link, Scope};
use wicker_lattice::store::{Change, Store};

use crate::goal::goal;
use crate::{at, ms};

const ROUNDS: u32 = 101;

pub(crate) async fn measure() -> Result<()> {
    println!("| hosts | p50 | p99 |\n|---|---|---|");
    for (hosts, bound) in [(1, 1), (100, 5)] {
        let mut times = with(hosts).await?;
        let (p50, p99) = (at(&mut times, 50), at(&mut times, 99));
        println!("| {hosts} | {} | {} |", ms(p50), ms(p99));
        let what = format!("link re-point seen by {hosts} hosts, p50");
        goal(
            &what,
            "watch of the state",
            &ms(p50),
            "",
            &format!("{bound} ms"),
            p50 <= Duration::from_millis(bound),
        );
    }
    Ok(())
}

async fn with(hosts: usize) -> Result<Vec<Duration>> {
    let lattice = TestLattice::start().await;
    let (seen, mut sightings) = mpsc::channel(1_000);
    let mut readers = JoinSet::new();
    for _ in 0..hosts {
        let nats = Nats::connect(NatsConfig::at(lattice.nats.url())).await?;
        let store = Store::open(&nats.jetstream(), "test", 1).await?;
        let seen = seen.clone();
        readers.spawn(async move {
            let _connected = nats;
            let mut watch = store.watch::<Link>("link.>");
            loop {
                if let Change::Put(entry) = watch.next().await {
                    let _ = seen.send((entry.record.timeout_ms, Instant::now())).await;
                }
            }
        });
    }
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        lattice.store.put(&link(u64::from(round))?).await?;
        let mut last = begun;
        for _ in 0..hosts {
            let sighting = tokio::time::timeout(Duration::from_secs(10), sightings.recv()).await?;
            let Some((number, when)) = sighting else { break };
            ensure!(number == Some(u64::from(round)), "a reader saw another write");
            last = last.max(when);
        }
        // The first is waited for by readers that are still subscribing.
        if round > 0 {
            times.push(last - begun);
        }
    }
    Ok(times)
}

fn link(number: u64) -> Result<Link> {
    Ok(Link {
        source: "default/bench/caller".parse()?,
        scope: Scope::Package("bench:echo".parse()?),
        name: "default".to_owned(),
        target: "default/bench/callee".parse()?,
        split: Vec::new(),
        secrets: Default::default(),
        config: std::collections::BTreeMap::new(),
        timeout_ms: Some(number),
        idempotent: Vec::new(),
    })
}
