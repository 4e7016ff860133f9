//! A grant that is taken back, under calls.

use std::ops::Range;
use std::time::{Duration, Instant};

use integration_tests::load::Load;
use integration_tests::{TestLattice, eventually};
use serde_json::json;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::Export;

use crate::ALONE;

const GREETER: &str = "
application: greeter
team: words
components:
  greeter: { image: IMAGE, placement: { labels: { role: words } } }
exports:
  greet: { target: greeter, interfaces: example:greeter/greet, to: [front] }
";

const GATEWAY: &str = "
application: gateway
team: front
components:
  gateway: { image: IMAGE, placement: { labels: { role: front } } }
links:
  gateway: { example:greeter: words/greeter/greet }
routes:
  /greet: gateway
";

/// The protocol's bound: from the acknowledged word that takes a grant back to the last call that is let in.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn grant_that_is_taken_back_lets_no_call_in_after_a_second_and_both_sides_say_so() {
    let _alone = ALONE.acquire().await.unwrap();
    let lattice = TestLattice::start().await;
    let front = lattice.host(&["--label", "role=front"]).await;
    let _words = lattice.host(&["--label", "role=words"]).await;
    for (name, manifest) in [("greeter", GREETER), ("gateway", GATEWAY)] {
        let image = artifacts::example(name).display().to_string();
        let file = lattice.manifest(name, &manifest.replace("IMAGE", &image));
        lattice.wicker(&["deploy", &file]).await;
    }
    let events = lattice.events().await;
    let greet: ObjectId = "words/greeter/greet".parse().unwrap();
    let granted = lattice.store.get::<Export>(&key::export(&greet)).await.unwrap().unwrap().record;
    let revoked = Export { to: Default::default(), ..granted.clone() };
    let load = Load::start(&lattice.web, &[front.http], "/greet/Ada", 4);
    let mut closed = Vec::new();
    for round in 1..=3 {
        load.flows(50).await;
        lattice.store.put(&revoked).await.unwrap();
        let acknowledged = Instant::now();
        load.passes(acknowledged + CLOSED_WITHIN).await;
        eventually("both sides are told", || async {
            (events.of("link-closed").len() == 2 * round).then_some(())
        })
        .await;
        let refused = "words/greeter/greet is not offered to team `front`";
        let status = lattice.wicker(&["status", "gateway"]).await;
        assert!(status.to_string().contains(refused), "the caller's side: {status}");
        let exports = lattice.wicker(&["exports"]).await;
        assert_eq!(exports[0]["closed_to"], json!(["front/gateway/gateway"]), "the callee's side");
        closed.push(acknowledged..Instant::now());
        lattice.store.put(&granted).await.unwrap();
    }
    load.flows(50).await;
    let outcome = load.finish().await;
    let late = outcome.finished.iter().filter(|call| {
        let is_late = |period: &Range<Instant>| {
            call.begun > period.start + CLOSED_WITHIN && call.ended < period.end
        };
        call.is_accepted && closed.iter().any(is_late)
    });
    assert_eq!(late.count(), 0, "no call is let in that begins a second later");
    assert!(!outcome.failures.is_empty(), "calls were refused meanwhile");
}
