//! Hosts that are killed under load: what each ran serves elsewhere within the bound.

use std::time::{Duration, Instant};

use futures::future::join_all;
use integration_tests::load::{Load, Outcome};
use integration_tests::{TestHost, TestLattice, eventually};
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::Placement;

use crate::ALONE;

/// From the kill: a lease, a look whether the host answers, a placement and a start.
const FAILOVER: Duration = Duration::from_secs(5);

/// Hosts killed at once, each with an application of its own, and how often that is done: 20 kills.
const VICTIMS: usize = 4;
const ROUNDS: usize = 5;

/// The `number`th application, on a host that runs none of those before it.
fn manifest(number: usize) -> String {
    let image = artifacts::example("hello").display().to_string();
    let others = (0..number).map(|other| format!("{{to: hello-{other}/hello}}"));
    let others: Vec<String> = others.collect();
    format!(
        "
application: hello-{number}
components:
  hello:
    image: {image}
    placement: {{ labels: {{ role: worker }}, apart: [{}] }}
routes:
  /{number}: hello
",
        others.join(", ")
    )
}

/// Where the applications run, in their order.
async fn placed(lattice: &TestLattice) -> Option<Vec<ProcessId>> {
    let placements = lattice.store.list::<Placement>(&Placement::all()).await.ok()?;
    let of = |number: usize| {
        let name = format!("hello-{number}");
        let mut all = placements.iter().map(|entry| &entry.record);
        all.find(|each| each.object.application() == name).map(|each| each.host)
    };
    (0..VICTIMS).map(of).collect()
}

/// How long after `killed` the first request was answered that was sent after it.
fn away(outcome: &Outcome, killed: Instant) -> Option<Duration> {
    let served = outcome.finished.iter().filter(|call| call.is_accepted && call.begun > killed);
    served.map(|call| call.ended - killed).min()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_killed_hosts_ran_serves_elsewhere_within_five_seconds_over_twenty_kills() {
    let _alone = ALONE.acquire().await.unwrap();
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let worker = || lattice.host(&["--label", "role=worker"]);
    let mut workers: Vec<TestHost> = join_all((0..2 * VICTIMS).map(|_| worker())).await;
    for number in 0..VICTIMS {
        let file = lattice.manifest(&format!("hello-{number}"), &manifest(number));
        lattice.wicker(&["deploy", &file]).await;
    }
    let mut kills = 0;
    for round in 0..ROUNDS {
        let loads: Vec<Load> = (0..VICTIMS)
            .map(|number| Load::start(&lattice.web, &[edge.http], &format!("/{number}"), 2))
            .collect();
        join_all(loads.iter().map(|load| load.flows(50))).await;
        let victims = placed(&lattice).await.unwrap();
        let killed: Vec<Instant> = victims
            .iter()
            .map(|victim| {
                workers.iter().find(|worker| worker.process == *victim).unwrap().kill();
                Instant::now()
            })
            .collect();
        eventually("all are placed elsewhere", || async {
            let now = placed(&lattice).await?;
            now.iter().all(|host| !victims.contains(host)).then_some(())
        })
        .await;
        join_all(loads.iter().map(|load| load.flows(50))).await;
        for (number, (load, killed)) in loads.into_iter().zip(killed).enumerate() {
            let away = away(&load.finish().await, killed).unwrap();
            assert!(away <= FAILOVER, "round {round}: hello-{number} was away for {away:?}");
            kills += 1;
        }
        workers.retain(|worker| !victims.contains(&worker.process));
        workers.extend(join_all((0..VICTIMS).map(|_| worker())).await);
    }
    assert_eq!(kills, 20);
}
