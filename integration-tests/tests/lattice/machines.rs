//! Machines join with one line, three of them keep the state together, and any one of the three may be lost.

use std::time::Duration;

use async_nats::jetstream;
use integration_tests::{LoneHost, TestMachines, Web, eventually, verb};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wicker_lattice::testing::NatsServer;

/// What is written between two losses, at least.
const WRITES: usize = 50;

/// Longer than electing another server takes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

async fn jetstream_of(host: &LoneHost) -> jetstream::Context {
    jetstream::new(async_nats::connect(host.nats()).await.unwrap())
}

/// Writes numbers into a bucket until stopped; each that was acknowledged counts.
fn writer(
    js: jetstream::Context,
) -> (JoinHandle<Vec<u64>>, tokio::sync::watch::Receiver<usize>, tokio::sync::oneshot::Sender<()>) {
    let (told, count) = tokio::sync::watch::channel(0);
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let writing = async move {
        let mut acknowledged = Vec::new();
        for number in 0_u64.. {
            if stopped.try_recv().is_ok() {
                break;
            }
            let put = js.publish(format!("written.{number}"), "x".into());
            let put = async { put.await.ok()?.await.ok() };
            if matches!(tokio::time::timeout(Duration::from_secs(2), put).await, Ok(Some(_))) {
                acknowledged.push(number);
                let _ = told.send(acknowledged.len());
            }
        }
        acknowledged
    };
    #[allow(clippy::disallowed_methods, reason = "the test joins it")]
    let handle = tokio::spawn(writing);
    (handle, count, stop)
}

/// Whether all three have everything that any of them has.
async fn is_whole(js: &jetstream::Context) -> Option<()> {
    for name in ["KV_wicker_default_spec", "KV_wicker_default_status", "WRITTEN"] {
        let mut stream = js.get_stream(name).await.ok()?;
        let cluster = stream.info().await.ok()?.cluster.clone()?;
        let current = cluster.replicas.iter().filter(|peer| peer.current && !peer.offline).count();
        if cluster.leader.is_none() || current != 2 {
            return None;
        }
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_machines_keep_the_state_and_any_one_of_them_may_be_lost() {
    let machines = TestMachines::with(NatsServer::installed().pop().unwrap());
    let first = machines.start(1, None).await;
    let manifest = machines.folder().join("hello.yaml");
    let image = artifacts::example("hello").display().to_string();
    let text = format!(
        "application: hello\ncomponents:\n  hello: {{ image: {image}, replicas: every }}\nroutes:\n  /: hello\n"
    );
    std::fs::write(&manifest, text).unwrap();
    let deploy = ["deploy", manifest.to_str().unwrap()];
    verb(&first, &deploy).await.unwrap();
    let js = jetstream_of(&first).await;
    js.create_stream(jetstream::stream::Config {
        name: "WRITTEN".to_owned(),
        subjects: vec!["written.>".to_owned()],
        ..Default::default()
    })
    .await
    .unwrap();
    let before = verb(&first, &["history", "hello"]).await.unwrap();

    let join = first.join().to_owned();
    let mut hosts =
        vec![first, machines.start(2, Some(&join)).await, machines.start(3, Some(&join)).await];
    machines.are_three().await;
    eventually("all three have everything", || is_whole(&js)).await;
    // The streams have moved: for a moment their new leaders are still being elected.
    let history = ["history", "hello"];
    let after =
        eventually("the state is read", || async { verb(&hosts[2], &history).await.ok() }).await;
    assert_eq!(after, before);

    // One more: attached to the three, wherever they are.
    let fourth = machines.start(4, Some(hosts[1].join())).await;
    let (writing, mut count, stop) = writer(jetstream_of(&fourth).await);
    for lost in 0..3_u8 {
        let seen = *count.borrow_and_update() + WRITES;
        count.wait_for(|count| *count >= seen).await.unwrap();
        hosts.remove(usize::from(lost)).lose().await;
        let seen = *count.borrow_and_update() + WRITES;
        let more = tokio::time::timeout(WRITE_TIMEOUT, count.wait_for(|count| *count >= seen));
        assert!(more.await.is_ok(), "nothing is written after machine {} was lost", lost + 1);
        eventually("deploying works", || async { verb(&fourth, &deploy).await.ok() }).await;
        hosts.insert(usize::from(lost), machines.start(lost + 1, None).await);
        let js = jetstream_of(&hosts[usize::from(lost)]).await;
        eventually("the machine that came back has everything", || is_whole(&js)).await;
    }
    let js = replace_the_first(&machines, &mut hosts, &fourth, &deploy).await;
    stop.send(()).unwrap();
    let acknowledged = writing.await.unwrap();
    let stream = js.get_stream("WRITTEN").await.unwrap();
    for number in acknowledged {
        let subject = format!("written.{number}");
        assert!(
            stream.get_last_raw_message_by_subject(&subject).await.is_ok(),
            "{subject} is lost"
        );
    }
}

/// The first machine is gone for good: the fourth takes its place, and any one of the three may be lost again. Should it
/// come back all the same, it is attached to them.
async fn replace_the_first(
    machines: &TestMachines,
    hosts: &mut Vec<LoneHost>,
    fourth: &LoneHost,
    deploy: &[&str],
) -> jetstream::Context {
    assert_eq!(machines.role(4).unwrap()["leaf"]["hubs"].as_array().unwrap().len(), 3);
    let first = machines.address(1);
    let replace = ["machine", "replace", &first];
    let refused = verb(fourth, &replace).await.unwrap_err();
    assert!(refused.contains("stop it first"), "{refused}");
    hosts.remove(0).lose().await;
    let replaced = eventually("it is replaced", || async { verb(fourth, &replace).await.ok() });
    let is_kept = |row: &&Value| row["keeps_state"] == true && row["is_current"] == true;
    let replaced = replaced.await;
    let addresses: Vec<_> =
        replaced.as_array().unwrap().iter().filter(is_kept).map(|row| &row["address"]).collect();
    assert!(addresses.len() == 3 && !addresses.contains(&&json!(first)), "{replaced}");
    assert!(machines.role(4).unwrap().get("server").is_some());

    hosts.remove(0).lose().await;
    eventually("deploying works", || async { verb(fourth, deploy).await.ok() }).await;
    // Two of the three: nothing can be written, and what runs goes on.
    hosts.remove(0).lose().await;
    let web = Web::default();
    let http = fourth.started["http"].as_str().unwrap().parse().unwrap();
    for _ in 0..20 {
        assert_eq!(web.get(http, "/").await.unwrap().status, 200);
    }
    for number in [3, 2, 1] {
        hosts.push(machines.start(number, None).await);
    }
    eventually("the replaced machine is attached", || async {
        machines.role(1)?.get("leaf").map(|_| ())
    })
    .await;
    eventually("it says so itself", || async {
        let machines = verb(&hosts[2], &["machine", "ls"]).await.ok()?;
        (machines.as_array()?.iter().filter(is_kept).count() == 3).then_some(())
    })
    .await;
    let js = jetstream_of(fourth).await;
    eventually("the three have everything", || is_whole(&js)).await;
    js
}

#[tokio::test(flavor = "multi_thread")]
async fn first_machine_that_is_lost_while_the_three_are_formed_goes_on_with_it() {
    let machines = TestMachines::with(NatsServer::installed().remove(0));
    let first = machines.start(1, None).await;
    let manifest = machines.folder().join("hello.yaml");
    let image = artifacts::example("hello").display().to_string();
    std::fs::write(&manifest, format!("application: hello\ncomponents:\n  hello: {image}\n"))
        .unwrap();
    verb(&first, &["deploy", manifest.to_str().unwrap()]).await.unwrap();
    let before = verb(&first, &["history", "hello"]).await.unwrap();
    let join = first.join().to_owned();
    let _second = machines.start(2, Some(&join)).await;
    let third = machines.start(3, Some(&join)).await;
    machines.is_forming(1).await;
    first.lose().await;
    let first = machines.start(1, None).await;
    machines.are_three().await;
    for host in [&first, &third] {
        let after = eventually("the state is there", || async {
            verb(host, &["history", "hello"]).await.ok()
        });
        assert_eq!(after.await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_without_the_secret_is_not_let_in() {
    let machines = TestMachines::with(NatsServer::installed().remove(0));
    let first = machines.start(1, None).await;
    let (address, secret) = first.join().rsplit_once('/').unwrap();
    let other: String =
        secret.chars().map(|letter| if letter == '0' { '1' } else { '0' }).collect();
    let refused = machines.refused(2, &format!("{address}/{other}")).await;
    assert!(refused.contains("another secret"), "{refused}");
}
