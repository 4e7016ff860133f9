//! Who answers which question to this process.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::table::lock;
use crate::call::{CallError, Status};

/// An answer under way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send>>;

/// Answers one verb.
type QueryHandler = Arc<dyn Fn(Value) -> Answering + Send + Sync>;

/// By verb.
#[derive(Default)]
pub(super) struct Queries(Mutex<HashMap<String, QueryHandler>>);

impl Queries {
    /// Lets `answer` answer the questions of `verb`, in place of whoever did.
    pub(super) fn on<Q, A, F>(&self, verb: &str, answer: impl Fn(Q) -> F + Send + Sync + 'static)
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Result<A, CallError>> + Send + 'static,
    {
        let handler = move |question: Value| -> Answering {
            let answering = serde_json::from_value(question).map(&answer).map_err(unreadable);
            Box::pin(async move { serde_json::to_value(answering?.await?).map_err(unreadable) })
        };
        lock(&self.0).insert(verb.to_owned(), Arc::new(handler));
    }

    /// The answer to a question in JSON text; `None` where nobody answers `verb`.
    pub(super) fn ask(&self, verb: &str, question: &[u8]) -> Option<Answering> {
        let handler = lock(&self.0).get(verb).cloned()?;
        Some(match serde_json::from_slice(question) {
            Ok(question) => handler(question),
            Err(error) => Box::pin(std::future::ready(Err(unreadable(error)))),
        })
    }
}

fn unreadable(error: serde_json::Error) -> CallError {
    CallError::new(Status::BadFrame, format!("cannot read the question: {error}"))
}
