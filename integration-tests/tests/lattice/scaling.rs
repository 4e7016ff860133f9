//! Components that run on more hosts the more they have to do.

use integration_tests::{TestLattice, eventually};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::Placement;

use crate::load::Load;

/// Each request takes three seconds, so a few callers make it busy.
const SLOW: &str = "
application: slow
components:
  slow:
    image: '{guests}/http_misbehave.wasm'
    replicas: {max: 3, concurrency: 2, after: 3s}
routes:
  /: slow
";

#[tokio::test(flavor = "multi_thread")]
async fn busy_component_gets_more_hosts_and_gives_them_back() {
    let lattice = TestLattice::start().await;
    let hosts = [lattice.host(&[]).await, lattice.host(&[]).await, lattice.host(&[]).await];
    lattice.wicker(&["deploy", &lattice.manifest("slow", SLOW)]).await;
    let placed = async || lattice.store.list::<Placement>(&Placement::all()).await.unwrap().len();
    let explained = async || {
        let explained = lattice.wicker(&["explain", "slow"]).await;
        explained["objects"][0]["scaling"].clone()
    };
    assert_eq!(placed().await, 1);
    let load = Load::start(&lattice.web, &[hosts[0].http], "/pause-after-head", 8);
    eventually("it runs on as many hosts as it may", || async {
        (placed().await == 3).then_some(())
    })
    .await;
    let signal = eventually("what decides is shown", || async {
        let signal = explained().await;
        (signal["calls"].as_u64()? > 2).then_some(signal)
    })
    .await;
    assert_eq!((&signal["concurrency"], &signal["max"]), (&2.into(), &3.into()));
    load.flows(1).await;
    assert_eq!(load.finish().await.failures, Vec::<String>::new());
    eventually("it is given back", || async { (placed().await == 1).then_some(()) }).await;
    assert_eq!(explained().await["calls"], 0);
}
