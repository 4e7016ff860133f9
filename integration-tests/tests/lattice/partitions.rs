//! A machine that is cut off goes on serving what it can reach, and nothing has to be repaired after.

use integration_tests::{Cut, LoneHost, Namespaces, eventually};
use serde_json::Value;

/// The application, as its `number`th version: the greeting is its config.
fn manifest(number: usize) -> String {
    let image = artifacts::example("hello").display().to_string();
    format!(
        "
application: hello
version: v{number}
components:
  hello:
    image: {image}
    replicas: every
    config: {{ number: \"{number}\" }}
routes:
  /: hello
"
    )
}

async fn deploy(net: &Namespaces, number: u8, host: &LoneHost, version: usize) {
    let file = net.folder().join(format!("hello-{version}.yaml"));
    std::fs::write(&file, manifest(version)).unwrap();
    let args = ["deploy", "--detach", file.to_str().unwrap()];
    eventually("deploying works", || async { net.verb(number, host, &args).await.ok() }).await;
}

/// On how many live hosts the latest deployment is ready.
async fn ready(net: &Namespaces, number: u8, host: &LoneHost) -> Option<usize> {
    let status = net.verb(number, host, &["status", "hello"]).await.ok()?;
    let objects = status["applications"][0]["objects"].as_array()?.clone();
    let is_ready = |object: &&Value| {
        object["is_ready"] == true && object["running_generation"] == object["generation"]
    };
    Some(objects.iter().filter(is_ready).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_that_is_cut_off_serves_on_and_nothing_is_to_be_repaired_after() {
    let net = Namespaces::new(3);
    let first = net.start(1, None).await;
    let join = first.join().to_owned();
    let hosts = [first, net.start(2, Some(&join)).await, net.start(3, Some(&join)).await];
    eventually("three machines keep the state", || async {
        let is_one = |host: &LoneHost| {
            let place = std::fs::read_to_string(host.data.join("nats/machine.json")).ok()?;
            let beside = host.data.join("nats/forming.pid").exists();
            (place.contains("\"server\"") && !beside).then_some(())
        };
        hosts.iter().map(is_one).collect::<Option<Vec<()>>>()
    })
    .await;
    deploy(&net, 1, &hosts[0], 1).await;
    eventually("all three run it", || async {
        (ready(&net, 1, &hosts[0]).await? == 3).then_some(())
    })
    .await;
    let cuts = [(1, Cut::Both), (2, Cut::Outgoing), (3, Cut::Incoming)];
    for (version, (lost, cut)) in (2..).zip(cuts) {
        let other = lost % 3 + 1;
        let (cut_off, left) = (&hosts[usize::from(lost) - 1], &hosts[usize::from(other) - 1]);
        net.cut(lost, cut);
        // The two that are left keep the state, and change.
        deploy(&net, other, left, version).await;
        let answer = net.get(lost, cut_off).await;
        assert_eq!(answer.as_deref(), Some("Hello from a component!"), "{cut:?}: cut off");
        net.mend(lost, cut);
        eventually("all three run the latest version", || async {
            (ready(&net, lost, cut_off).await? == 3).then_some(())
        })
        .await;
        for (number, host) in (1..).zip(&hosts) {
            assert!(net.get(number, host).await.is_some(), "{cut:?}: machine {number} after it");
        }
    }
}
