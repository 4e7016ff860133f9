//! Schedules: ticks that are delivered though hosts are killed, and what becomes of those that fail.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::Subscriber;
use futures::StreamExt as _;
use integration_tests::{TestHost, TestLattice, eventually};
use tokio::time::timeout;
use wicker_lattice::store::record::Ticks;
use wicker_lattice::store::{Record as _, key};

const MANIFEST: &str = "
application: ticks
components:
  ticker:
    image: '{guests}/ticker.wasm'
    placement: { labels: { role: work } }
providers:
  nats: { builtin: messaging-nats, placement: { labels: { role: work } } }
links:
  ticker: { wicker:messaging: nats }
schedules:
";

/// What the component told of one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    what: String,
    id: String,
    at_ms: i64,
    attempt: u32,
}

/// A lattice whose component tells of its ticks.
struct Clocked {
    lattice: TestLattice,
    told: Subscriber,
    _worker: TestHost,
}

impl Clocked {
    /// Deploys `schedules` on a worker, while another host acts already.
    async fn start(lattice: TestLattice, schedules: &str) -> Self {
        let worker = lattice.host(&["--label", "role=work"]).await;
        let client = async_nats::connect(lattice.nats.url()).await.unwrap();
        let told = client.queue_subscribe("ticks", "test".to_owned()).await.unwrap();
        client.flush().await.unwrap();
        let text = format!("{MANIFEST}{schedules}");
        lattice.wicker(&["deploy", &lattice.manifest("ticks", &text)]).await;
        Self { lattice, told, _worker: worker }
    }

    async fn next(&mut self) -> Told {
        let message = timeout(integration_tests::WAIT, self.told.next()).await;
        let message = message.unwrap().unwrap();
        let headers = message.headers.unwrap();
        let header = |name| headers.get(name).unwrap().to_string();
        Told {
            what: String::from_utf8(message.payload.to_vec()).unwrap(),
            id: header("id"),
            at_ms: header("at-ms").parse().unwrap(),
            attempt: header("attempt").parse().unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tick_is_lost_though_the_host_that_acts_is_killed_while_one_is_under_way() {
    let lattice = TestLattice::start().await;
    let acting = lattice.host(&["--label", "role=act"]).await;
    let next = lattice.host(&["--label", "role=act"]).await;
    let slow = "  slow: { target: ticker, every: 1s, missed: all, overlap: allow }\n";
    let mut clocked = Clocked::start(lattice, slow).await;
    let mut begun = BTreeMap::<i64, BTreeSet<u32>>::new();
    let mut done = BTreeMap::<i64, String>::new();
    // Those that begin three seconds after one another overlap: some are under way at any time.
    while begun.len() < 5 {
        let told = clocked.next().await;
        note(told, &mut begun, &mut done);
    }
    acting.kill();
    let known = *begun.keys().last().unwrap();
    while done.keys().filter(|at_ms| **at_ms > known).count() < 8 {
        let told = clocked.next().await;
        note(told, &mut begun, &mut done);
    }
    let times: Vec<i64> = done.keys().copied().collect();
    let (first, last) = (times[0], *times.last().unwrap());
    // Each second from the first to the last that is over has its tick, whoever acted then.
    let expected: Vec<i64> = (0..).map(|n| first + n * 1000).take_while(|at| *at <= last).collect();
    let still_running = |at: &i64| begun.contains_key(at) && !done.contains_key(at);
    let missing: Vec<i64> = expected.iter().filter(|at| !done.contains_key(at)).copied().collect();
    assert!(missing.iter().all(still_running), "lost: {missing:?} of {begun:?}");
    let again = begun.values().filter(|attempts| attempts.len() > 1).count();
    assert!(again >= 1, "what was under way is delivered again: {begun:?}");
    let ids: BTreeSet<&String> = done.values().collect();
    assert_eq!(ids.len(), done.len(), "each tick has an id of its own");
    assert!(!next.log().contains("panicked"));
}

fn note(told: Told, begun: &mut BTreeMap<i64, BTreeSet<u32>>, done: &mut BTreeMap<i64, String>) {
    match told.what.as_str() {
        "begun" => _ = begun.entry(told.at_ms).or_default().insert(told.attempt),
        _ => {
            let known = done.entry(told.at_ms).or_insert_with(|| told.id.clone());
            assert_eq!(*known, told.id, "one tick, one id");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tick_that_fails_is_delivered_again_under_its_id_and_given_up_with_an_event() {
    let lattice = TestLattice::start().await;
    let _acting = lattice.host(&["--label", "role=act"]).await;
    let events = lattice.events().await;
    let schedules = "  \
        twice: { target: ticker, every: 1s, backoff: 10ms }\n  \
        bad: { target: ticker, every: 1s, attempts: 2, backoff: 10ms }\n";
    let mut clocked = Clocked::start(lattice, schedules).await;
    let mut told = Vec::new();
    let is_over = |told: &[Told]| {
        let bad = told.iter().any(|each| each.id.contains("/bad@") && each.attempt == 2);
        bad && told.iter().any(|each| each.what == "done")
    };
    while !is_over(&told) {
        told.push(clocked.next().await);
    }
    let done = told.iter().find(|each| each.what == "done").unwrap();
    assert!(done.id.starts_with("default/ticks/twice@"), "{done:?}");
    let attempts: Vec<u32> =
        told.iter().filter(|each| each.id == done.id).map(|each| each.attempt).collect();
    assert_eq!(attempts, [1, 2, 2]);
    assert!(told.iter().all(|each| each.attempt <= 2), "{told:?}");
    let failed =
        eventually("it is told", || async { events.of("tick-failed").first().cloned() }).await;
    assert!(failed.contains("default/ticks/bad") && failed.contains("asked to"), "{failed}");
    let lattice = &clocked.lattice;
    eventually("wicker status shows it", || async {
        let status = lattice.try_wicker(&["status", "ticks"]).await.ok()?;
        let schedules = status["applications"][0]["schedules"].as_array()?.clone();
        let of = |name: &str| {
            schedules.iter().find(|each| each["schedule"] == format!("default/ticks/{name}"))
        };
        let is_shown = of("bad")?["failed"].as_u64()? > 0
            && of("bad")?["last"]["error"] == "asked to"
            && of("twice")?["done"].as_u64()? > 0
            && of("twice")?["next"].is_string();
        is_shown.then_some(())
    })
    .await;
    lattice.wicker(&["undeploy", "ticks"]).await;
    eventually("nothing of them is left", || async {
        let left = lattice.store.list::<Ticks>(&Ticks::all()).await.ok()?;
        left.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedule_goes_on_where_it_was_when_every_host_was_away() {
    let lattice = TestLattice::start().await;
    let data = lattice.folder().join("data");
    let acting = lattice.host_in(&data, &["--label", "role=act"]).await;
    let every = "  steady: { target: ticker, every: 1s, missed: all }\n";
    let mut clocked = Clocked::start(lattice, every).await;
    let mut times = BTreeSet::new();
    let first = clocked.next().await;
    times.insert(first.at_ms);
    assert!(acting.stop().await.success());
    // The worker would act after a lease: what it does not begin, the host that comes back does.
    let _acting = clocked.lattice.host_in(&data, &["--label", "role=act"]).await;
    while times.len() < 6 {
        let told = clocked.next().await;
        assert!(told.what == "begun" || times.contains(&told.at_ms), "{told:?}");
        times.insert(told.at_ms);
    }
    let times: Vec<i64> = times.into_iter().collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1000), "{times:?}");
    let id = "default/ticks/steady".parse().unwrap();
    let ticks = clocked.lattice.store.get::<Ticks>(&key::ticks(&id)).await.unwrap().unwrap();
    assert_eq!((ticks.record.failed, ticks.record.skipped), (0, 0));
}
