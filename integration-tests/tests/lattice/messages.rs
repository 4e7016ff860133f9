//! Messages: a component that handles them on one host, the provider that brings them on another.

use std::collections::BTreeMap;

use async_nats::{Client, Subscriber, jetstream};
use futures::StreamExt as _;
use integration_tests::{TestHost, TestLattice, eventually};
use tokio::time::timeout;

const MANIFEST: &str = "
application: mail
components:
  messenger:
    image: '{guests}/messenger.wasm'
    replicas: REPLICAS
    placement: { labels: { role: work } }
providers:
  nats:
    builtin: messaging-nats
    placement: { labels: { role: edge } }
links:
  messenger:
    wasmcloud:messaging: nats
    wicker:messaging: nats
  nats:
    wasmcloud:messaging:
      target: messenger
      config: { subjects: [jobs.core] }
    wicker:messaging:
      target: messenger
      config: { subjects: [jobs.durable], stream: JOBS, redelivery-delay-ms: '10' }
";

/// A lattice in which messages flow, and its outside world.
struct Post {
    _lattice: TestLattice,
    client: Client,
    handled: Subscriber,
    workers: Vec<TestHost>,
    _edge: TestHost,
}

impl Post {
    async fn open(replicas: usize) -> Self {
        let lattice = TestLattice::start().await;
        let edge = lattice.host(&["--label", "role=edge"]).await;
        let mut workers = Vec::new();
        for _ in 0..replicas {
            workers.push(lattice.host(&["--label", "role=work"]).await);
        }
        let text = MANIFEST.replace("REPLICAS", &replicas.to_string());
        lattice.wicker(&["deploy", &lattice.manifest("mail", &text)]).await;
        let client = async_nats::connect(lattice.nats.url()).await.unwrap();
        let handled = client.queue_subscribe("handled", "test".to_owned()).await.unwrap();
        client.flush().await.unwrap();
        let post = Self { client, handled, workers, _edge: edge, _lattice: lattice };
        eventually("messages are handled", || async {
            (post.ask("hello").await? == "hello").then_some(())
        })
        .await;
        eventually("the durable subscription is open", || post.durable_is_done(0)).await;
        post
    }

    async fn ask(&self, text: &str) -> Option<String> {
        let request = async_nats::Request::new().payload(text.to_owned().into());
        let answer = self.client.send_request("jobs.core", request).await.ok()?;
        String::from_utf8(answer.payload.to_vec()).ok()
    }

    /// Whether so many messages of the durable subscription have been acknowledged.
    async fn durable_is_done(&self, messages: u64) -> Option<()> {
        let stream = jetstream::new(self.client.clone()).get_stream("JOBS").await.ok()?;
        let mut names = stream.consumer_names();
        let name = names.next().await?.ok()?;
        let info = stream.consumer_info(name).await.ok()?;
        (info.ack_floor.stream_sequence >= messages).then_some(())
    }

    async fn store(&self, bodies: impl Iterator<Item = String>) {
        let jetstream = jetstream::new(self.client.clone());
        for body in bodies {
            jetstream.publish("jobs.durable", body.into()).await.unwrap().await.unwrap();
        }
    }

    /// How often each message was handled, once all of `wanted` were.
    async fn until_handled(&mut self, wanted: usize) -> BTreeMap<String, Vec<String>> {
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let all = async {
            while seen.len() < wanted {
                let message = self.handled.next().await.unwrap();
                note(&mut seen, message);
            }
        };
        assert!(timeout(integration_tests::WAIT, all).await.is_ok(), "{} of {wanted}", seen.len());
        seen
    }

    /// What else was handled until now: everything that went through the server before.
    async fn rest(&mut self, seen: &mut BTreeMap<String, Vec<String>>) {
        self.client
            .publish_with_headers("handled", Default::default(), "end".into())
            .await
            .unwrap();
        loop {
            let message = timeout(integration_tests::WAIT, self.handled.next()).await;
            let message = message.unwrap().unwrap();
            if message.payload == "end" {
                return;
            }
            note(seen, message);
        }
    }
}

fn note(seen: &mut BTreeMap<String, Vec<String>>, message: async_nats::Message) {
    let count = message.headers.as_ref().and_then(|headers| headers.get("count"));
    let count = count.map_or_else(|| "-".to_owned(), ToString::to_string);
    let body = String::from_utf8_lossy(&message.payload).into_owned();
    seen.entry(body).or_default().push(count);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_handled_exactly_once_while_nothing_fails() {
    let mut post = Post::open(1).await;
    for number in 0..200 {
        let (headers, body) = (Default::default(), format!("core {number}").into());
        post.client.publish_with_headers("jobs.core", headers, body).await.unwrap();
    }
    let durable = (0..200).map(|number| format!("durable {number}"));
    post.store(durable.chain((0..10).map(|number| format!("twice {number}")))).await;
    let mut seen = post.until_handled(410).await;
    eventually("all are acknowledged", || post.durable_is_done(210)).await;
    post.rest(&mut seen).await;
    for (body, counts) in &seen {
        let expected = match body.split_once(' ').unwrap().0 {
            "core" => "-",
            "durable" => "1",
            _ => "2",
        };
        assert_eq!(counts, &[expected], "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_messages_are_handled_though_a_host_is_killed() {
    let mut post = Post::open(2).await;
    let count = 600;
    post.store((0..count / 2).map(|number| format!("durable {number}"))).await;
    let victim = post.workers.remove(0);
    victim.kill();
    post.store((count / 2..count).map(|number| format!("durable {number}"))).await;
    let seen = post.until_handled(count).await;
    assert_eq!(seen.len(), count);
    eventually("all are acknowledged", || post.durable_is_done(count as u64)).await;
}
