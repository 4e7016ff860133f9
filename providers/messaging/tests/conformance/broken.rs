//! What becomes of messages and calls when an MQTT broker goes, comes back, or does not let anybody in.

use std::collections::BTreeSet;

use messaging::wicker::consumer as typed;
use messaging::wicker::types::{Error, Message};
use wicker_lattice::testing::NatsServer;

use crate::backend::{Backend, Kept};
use crate::laws::TYPED;
use crate::mosquitto::Mosquitto;
use crate::setting::{Room, eventually};

fn message(subject: &str, body: String) -> Message {
    Message { subject: subject.to_owned(), body: body.into(), reply_to: None, headers: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_that_stops_fails_calls_typed_and_loses_nothing_that_it_acknowledged() {
    let backend = Backend::Mqtt(Mosquitto::start().await);
    let mut room = Room::in_process(backend, NatsServer::start().await).await;
    let settings = [("redelivery-delay-ms", "10"), ("concurrency", "4")];
    room.subscribe("kept", TYPED, ("kept", Kept::Yes), &settings).await;
    let sender = typed::Client::new(room.sender("sender", TYPED, &[]).await);
    // Nobody handles them yet, so that the broker has them all when it stops.
    room.inbox.fill();
    for number in 0..50 {
        sender.publish(message("kept", number.to_string())).await.unwrap().unwrap();
    }
    room.server().stop();
    let lost = sender.publish(message("kept", "never".to_owned())).await.unwrap();
    let Err(Error::Other(why)) = lost else { panic!("{lost:?}") };
    assert!(why.contains("broker"), "{why}");
    room.server().run().await;
    room.inbox.empty();
    let all: BTreeSet<String> = (0..50).map(|number| number.to_string()).collect();
    room.inbox
        .until("all came", |inbox| {
            let got: BTreeSet<String> = inbox.at("kept").into_iter().map(|got| got.body).collect();
            all.is_subset(&got)
        })
        .await;
    eventually("messages are sent again", || async {
        sender.publish(message("kept", "again".to_owned())).await.unwrap().ok()
    })
    .await;
    room.inbox
        .until("it came", |inbox| inbox.at("kept").iter().any(|got| got.body == "again"))
        .await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_is_said_and_the_right_one_lets_in() {
    let server = Mosquitto::start_for("wicker", "right").await;
    let nats = NatsServer::start().await;
    let refused = Room::refused(&server, ("wicker", "wrong"), &nats).await;
    assert!(refused.contains("refuses this client"), "{refused}");
    assert!(!refused.contains("wrong"), "no password in it: {refused}");
    let let_in = Room::refused(&server, ("wicker", "right"), &nats).await;
    assert_eq!(let_in, "");
}
