//! What a host uses while nothing happens in a lattice of 500 others, which renew their leases every second. The host
//! is the one that acts: it plans besides.

use std::time::Duration;

use anyhow::Result;
use integration_tests::TestLattice;

use crate::goal::goal;
use crate::process::cpu;
use crate::simulated::Hosts;

const HOSTS: usize = 500;
const TIME: Duration = Duration::from_secs(20);

pub(crate) async fn measure() -> Result<()> {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let pid = host.pid().as_raw_nonzero().get();
    let nats = lattice.nats.pid().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    println!("| hosts | a host, % of a core | nats-server, % of a core |\n|---|---|---|");
    let mut last = 0.0;
    for count in [0, 100, HOSTS] {
        let _others = Hosts::start(lattice.nats.url(), "test", count).await?;
        // What follows from their arrival is not idle.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = (cpu(pid), cpu(nats));
        tokio::time::sleep(TIME).await;
        let percent = |used: Duration| used.as_secs_f64() / TIME.as_secs_f64() * 100.0;
        last = percent(cpu(pid) - before.0);
        println!("| {} | {last:.2} | {:.2} |", count + 1, percent(cpu(nats) - before.1));
    }
    goal(
        "idle control plane, 500 simulated hosts",
        "a host",
        &format!("{last:.1} % of a core"),
        "",
        "2 %",
        last <= 2.0,
    );
    Ok(())
}
