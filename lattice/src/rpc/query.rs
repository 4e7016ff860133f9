//! Questions to this process, in JSON: `wicker inspect` and `wicker logs` ask them.

use std::sync::Arc;

use async_nats::{Message, Subject, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use tracing::warn;

use super::shared::Shared;
use crate::call::{CallError, Status};
use crate::nats::message::{self, Answer};

/// Questions that are answered at once; more are told to come back.
const QUERIES_MAX: usize = 64;

/// Answers go to inboxes only, so that nobody makes this process publish elsewhere.
const INBOX: &str = "_INBOX.";

impl Shared {
    pub(super) async fn read_queries(self: Arc<Self>, mut queries: Subscriber) {
        let stop = self.stop.clone();
        let places = Arc::new(tokio::sync::Semaphore::new(QUERIES_MAX));
        let reading = async {
            while let Some(message) = queries.next().await {
                let Some(reply_to) = inbox(&message) else { continue };
                let place = Arc::clone(&places).try_acquire_owned();
                let shared = Arc::clone(&self);
                let answering = async move {
                    let answer = match place {
                        Ok(_place) => shared.answer_query(&message).await,
                        Err(_) => {
                            Err(CallError::new(Status::Overloaded, "too many questions at once"))
                        }
                    };
                    shared.publish_answer(reply_to, answer).await;
                };
                self.tasks.spawn_on(answering, &self.workers);
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    async fn answer_query(&self, message: &Message) -> Result<Value, CallError> {
        let verb = message.subject.rsplit('.').next().unwrap_or_default();
        let Some(answering) = self.queries.ask(verb, &message.payload) else {
            let message = format!("process {} does not answer `{verb}`", self.config.process);
            return Err(CallError::new(Status::NotFound, message));
        };
        answering.await
    }

    async fn publish_answer(&self, reply_to: Subject, answer: Result<Value, CallError>) {
        let answer = match answer {
            Ok(value) => Answer::Ok(value),
            Err(CallError { status, message }) => Answer::Error { status, message },
        };
        match serde_json::to_vec(&answer) {
            Ok(json) => {
                message::publish(self.nats.control(), reply_to, Bytes::from(json)).await;
            }
            Err(error) => warn!(%error, "an answer has no JSON form"),
        }
    }
}

fn inbox(message: &Message) -> Option<Subject> {
    message.reply.clone().filter(|reply| reply.starts_with(INBOX))
}
