//! Plain messages: events that some hear, questions that one process answers.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::id::ProcessId;
use wicker_lattice::subject;

use crate::common::{End, on_every_server};

#[test]
fn event_reaches_whoever_listens() {
    on_every_server(|server| async move {
        let (one, other) = (End::caller(&server).await?, End::caller(&server).await?);
        let mut events = other.nats.subscribe(&subject::event("test", "*", "*")).await?;
        let subject = subject::event("test", "started", "a_b_c");
        one.nats.publish_json(&subject, &json!({ "what": "it" })).await?;
        let event = events.next().await.unwrap();
        assert_eq!(event.subject, subject);
        assert_eq!(event.json::<Value>()?, json!({ "what": "it" }));
        assert!(one.nats.try_publish(&subject, "not json".into()));
        assert!(events.next().await.unwrap().json::<Value>().is_err());
        Ok(())
    });
}

#[test]
fn question_is_answered_by_the_process_that_it_names() {
    on_every_server(|server| async move {
        let (one, other) = (End::caller(&server).await?, End::caller(&server).await?);
        other.rpc.on_query("double", |number: u32| async move {
            number.checked_mul(2).ok_or_else(|| CallError::new(Status::Unsupported, "too large"))
        });
        let wait = Duration::from_secs(20);
        let to = ("test", other.id);
        assert_eq!(one.nats.query::<_, u32>(to, "double", &21, wait).await?, 42);
        let ask = async |to, verb: &str, question: Value| {
            one.nats.query::<_, u32>(("test", to), verb, &question, wait).await.unwrap_err().status
        };
        assert_eq!(ask(other.id, "double", json!(u32::MAX)).await, Status::Unsupported);
        assert_eq!(ask(other.id, "double", json!("a text")).await, Status::BadFrame);
        assert_eq!(ask(other.id, "halve", json!(1)).await, Status::NotFound);
        assert_eq!(ask(ProcessId::generate(), "double", json!(1)).await, Status::Unavailable);
        Ok(())
    });
}
