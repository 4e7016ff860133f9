//! What messages promise, whatever is behind them.

use std::collections::BTreeMap;

use async_nats::jetstream;
use bytes::Bytes;
use messaging::wasmcloud::consumer as plain;
use messaging::wasmcloud::types::BrokerMessage;
use messaging::wicker::consumer as typed;
use messaging::wicker::types::{Error, Message};

use crate::backend::{Kept, Kind};
use crate::inbox::Got;
use crate::setting::{PLAIN, Room, eventually, soon};

pub(crate) const TYPED: &str = "wicker:messaging@0.1";

pub(crate) async fn keep_all(room: &Room) {
    message_is_delivered_once(room).await;
    headers_arrive(room).await;
    request_is_answered(room).await;
    request_without_answer_says_why(room).await;
    what_cannot_be_sent_is_refused(room).await;
    link_allows_only_its_subjects(room).await;
    if room.backend.kind() == Kind::Nats {
        what_nats_keeps_for_itself_is_refused(room).await;
        acknowledged_message_is_stored(room).await;
    }
    deliveries_are_bounded(room, "bound-core", Kept::No).await;
    deliveries_are_bounded(room, "bound-durable", Kept::Yes).await;
    refused_message_comes_again_and_is_set_aside(room, "refuse").await;
    refused_message_comes_again_and_is_set_aside(room, "fail").await;
    full_target_gets_the_message_when_it_is_not(room).await;
    core_message_that_nobody_handles_is_dropped(room).await;
    subscription_that_changes_or_goes_is_told_nothing_more(room).await;
}

fn message(subject: &str, body: impl Into<Bytes>) -> BrokerMessage {
    BrokerMessage { subject: subject.to_owned(), body: body.into(), reply_to: None }
}

fn typed_message(subject: &str, body: impl Into<Bytes>) -> Message {
    let (subject, body) = (subject.to_owned(), body.into());
    Message { subject, body, reply_to: None, headers: Vec::new() }
}

async fn message_is_delivered_once(room: &Room) {
    let sender = plain::Client::new(room.sender("once", PLAIN, &[]).await);
    room.subscribe("once-plain", PLAIN, ("once.plain", Kept::No), &[]).await;
    room.subscribe("once-typed", TYPED, ("once.typed", Kept::No), &[]).await;
    room.subscribe("once-stored", TYPED, ("once.stored", Kept::Yes), &[]).await;
    for subject in ["once.plain", "once.typed", "once.stored"] {
        for number in 0..100 {
            sender.publish(message(subject, number.to_string())).await.unwrap().unwrap();
        }
        room.inbox.until("all came", |inbox| inbox.at(subject).len() >= 100).await;
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for Got { body, .. } in room.inbox.at(subject) {
            *times.entry(body).or_default() += 1;
        }
        assert_eq!(times.len(), 100, "{subject}");
        assert!(times.values().all(|times| *times == 1), "{subject}: {times:?}");
    }
}

async fn headers_arrive(room: &Room) {
    let sender = typed::Client::new(room.sender("headers", TYPED, &[]).await);
    room.subscribe("headers", TYPED, ("headers.>", Kept::No), &[]).await;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![header("kind", "one"), header("kind", "two"), header("x-a", "é b")];
    let sent = Message { headers: headers.clone(), ..typed_message("headers.a.b", "hello") };
    sender.publish(sent).await.unwrap().unwrap();
    room.inbox.until("it came", |inbox| !inbox.at("headers.a.b").is_empty()).await;
    let mut got = room.inbox.at("headers.a.b").remove(0);
    got.headers.sort();
    assert_eq!((got.headers, got.count, got.id), (headers, 1, None));
    let broken = Message { headers: vec![header("a b", "x")], ..typed_message("headers.x", "") };
    assert!(matches!(sender.publish(broken).await.unwrap(), Err(Error::Invalid(_))));
}

async fn request_is_answered(room: &Room) {
    let sender = plain::Client::new(room.sender("asks", PLAIN, &[]).await);
    room.subscribe("asked", PLAIN, ("asked", Kept::No), &[]).await;
    let asked = sender.request("asked".to_owned(), "what?".into(), 30_000);
    let answered = async {
        let is_asked = |got: &Got| got.reply_to.is_some();
        room.inbox.until("it asks", |inbox| inbox.at("asked").iter().any(is_asked)).await;
        let reply_to = room.inbox.at("asked").into_iter().find_map(|got| got.reply_to).unwrap();
        sender.publish(message(&reply_to, "that")).await.unwrap().unwrap();
    };
    let (answer, ()) = soon("the answer", async { tokio::join!(asked, answered) }).await;
    assert_eq!(answer.unwrap().unwrap().body, "that");
}

async fn request_without_answer_says_why(room: &Room) {
    let sender = typed::Client::new(room.sender("silence", TYPED, &[]).await);
    let nobody = sender.request(typed_message("silence.nobody", ""), 10_000).await.unwrap();
    assert_eq!(nobody, Err(Error::NobodyListens));
    room.subscribe("silence", TYPED, ("silence.somebody", Kept::No), &[]).await;
    let silence = sender.request(typed_message("silence.somebody", ""), 50).await.unwrap();
    assert_eq!(silence, Err(Error::Timeout));
}

async fn what_cannot_be_sent_is_refused(room: &Room) {
    let sender = typed::Client::new(room.sender("refused", TYPED, &[]).await);
    let sent = async |subject: &str, body: Bytes| {
        sender.publish(typed_message(subject, body)).await.unwrap().unwrap_err()
    };
    assert!(matches!(sent("$JS.API.INFO", Bytes::new()).await, Error::Denied(_)));
    for subject in ["", "a b", "a.*", "a..b"] {
        assert!(matches!(sent(subject, Bytes::new()).await, Error::Invalid(_)), "{subject}");
    }
    let large = Bytes::from(vec![0; (1 << 20) + 1]);
    assert_eq!(sent("refused", large).await, Error::TooLarge(1 << 20));
    let answer = Message { reply_to: Some("a b".to_owned()), ..typed_message("refused", "") };
    assert!(matches!(sender.publish(answer).await.unwrap(), Err(Error::Invalid(_))));
}

async fn what_nats_keeps_for_itself_is_refused(room: &Room) {
    let sender = typed::Client::new(room.sender("reserved", TYPED, &[]).await);
    let reserved = || "wicker.default.q.x".to_owned();
    let to = typed_message(&reserved(), "");
    let from = Message { reply_to: Some(reserved()), ..typed_message("reserved", "") };
    for message in [to, from] {
        assert!(matches!(sender.publish(message).await.unwrap(), Err(Error::Denied(_))));
    }
}

async fn link_allows_only_its_subjects(room: &Room) {
    let settings = [("subjects", "allowed.*,also.>")];
    let sender = typed::Client::new(room.sender("allowed", TYPED, &settings).await);
    sender.publish(typed_message("allowed.a", "")).await.unwrap().unwrap();
    let denied = sender.publish(typed_message("allowed.a.b", "")).await.unwrap();
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
}

async fn acknowledged_message_is_stored(room: &Room) {
    let settings = [("acknowledged", "true")];
    let sender = typed::Client::new(room.sender("stored", TYPED, &settings).await);
    let lost = sender.publish(typed_message("stored.nowhere", "")).await.unwrap();
    assert!(matches!(lost, Err(Error::Other(_))), "{lost:?}");
    let mut stream = stream(room, "STORED", "stored.x").await;
    sender.publish(typed_message("stored.x", "kept")).await.unwrap().unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
}

async fn stream(room: &Room, name: &str, subject: &str) -> jetstream::stream::Stream {
    let config = jetstream::stream::Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        ..Default::default()
    };
    jetstream::new(room.nats().await).create_stream(config).await.unwrap()
}

async fn deliveries_are_bounded(room: &Room, subject: &str, kept: Kept) {
    let sender = plain::Client::new(room.sender(subject, PLAIN, &[]).await);
    room.subscribe(subject, TYPED, (subject, kept), &[("concurrency", "3")]).await;
    for number in 0..10 {
        sender.publish(message(subject, format!("hold {number}"))).await.unwrap().unwrap();
    }
    room.inbox.until("three are held", |inbox| inbox.holding() == 3).await;
    assert_eq!(room.inbox.at(subject).len(), 3);
    eventually("all were handled", || async {
        assert!(room.inbox.holding() <= 3);
        room.inbox.release();
        (room.inbox.at(subject).len() == 10 && room.inbox.holding() == 0).then_some(())
    })
    .await;
}

async fn refused_message_comes_again_and_is_set_aside(room: &Room, body: &str) {
    let (subject, dead) = (format!("again.{body}"), format!("dead.{body}"));
    let (name, dead_name) = (format!("again-{body}"), format!("dead-{body}"));
    room.subscribe(&dead_name, TYPED, (&dead, Kept::Yes), &[]).await;
    let settings = [("max-deliver", "3"), ("redelivery-delay-ms", "10"), ("dead-letter", &dead)];
    room.subscribe(&name, TYPED, (&subject, Kept::Yes), &settings).await;
    let sender = plain::Client::new(room.sender(&name, PLAIN, &[]).await);
    sender.publish(message(&subject, body.to_owned())).await.unwrap().unwrap();
    // What came in says no to the letter, too.
    room.inbox.until("it is set aside", |inbox| !inbox.at(&dead).is_empty()).await;
    let letter = room.inbox.at(&dead).remove(0);
    let got = room.inbox.at(&subject);
    let counts: Vec<u32> = got.iter().map(|got| got.count).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert!(got[0].id.is_some() && got.iter().all(|each| each.id == got[0].id), "{got:?}");
    assert_eq!(letter.body, body);
    let header = |name| {
        let mut headers = letter.headers.iter();
        headers.find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    assert_eq!(header("Wicker-Subject"), Some(subject));
    assert_eq!(header("Wicker-Message"), got[0].id);
    assert!(header("Wicker-Reason").is_some());
}

async fn full_target_gets_the_message_when_it_is_not(room: &Room) {
    room.subscribe("full", TYPED, ("full", Kept::Yes), &[("max-deliver", "1")]).await;
    let sender = plain::Client::new(room.sender("full", PLAIN, &[]).await);
    room.inbox.fill();
    let before = room.inbox.turned_away();
    sender.publish(message("full", "later")).await.unwrap().unwrap();
    room.inbox.until("it was tried", |inbox| inbox.turned_away() >= before + 3).await;
    room.inbox.empty();
    room.inbox.until("it came", |inbox| !inbox.at("full").is_empty()).await;
    assert_eq!(room.inbox.at("full")[0].count, 1, "what reached nobody is not counted");
}

async fn core_message_that_nobody_handles_is_dropped(room: &Room) {
    room.subscribe("dropped", PLAIN, ("dropped", Kept::No), &[("concurrency", "1")]).await;
    let sender = plain::Client::new(room.sender("dropped", PLAIN, &[]).await);
    for body in ["refuse", "fine"] {
        sender.publish(message("dropped", body)).await.unwrap().unwrap();
    }
    room.inbox.until("both came", |inbox| inbox.at("dropped").len() >= 2).await;
    let bodies: Vec<String> = room.inbox.at("dropped").into_iter().map(|got| got.body).collect();
    assert_eq!(bodies, ["refuse", "fine"]);
}

async fn subscription_that_changes_or_goes_is_told_nothing_more(room: &Room) {
    let asker = typed::Client::new(room.sender("listens", TYPED, &[]).await);
    let listens = async |subject: &'static str| {
        let asked = asker.request(typed_message(subject, "probe"), 50).await.unwrap();
        asked != Err(Error::NobodyListens)
    };
    room.subscribe("moves", PLAIN, ("moves.from", Kept::No), &[]).await;
    assert!(listens("moves.from").await);
    room.subscribe("moves", PLAIN, ("moves.to", Kept::No), &[]).await;
    eventually("the old subject is left", || async {
        (!listens("moves.from").await).then_some(())
    })
    .await;
    assert!(listens("moves.to").await);
    room.unsubscribe("moves", PLAIN).await;
    eventually("it is gone", || async { (!listens("moves.to").await).then_some(()) }).await;
}
