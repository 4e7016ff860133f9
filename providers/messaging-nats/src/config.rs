//! What the provider, a link to it and a subscription are configured with.

use std::path::PathBuf;

use serde::Deserialize;
use wicker_provider::ProviderError;

use crate::subject;

/// What the provider is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The NATS system. The lattice's own by default.
    pub url: Option<String>,
    /// The file of NATS credentials for `url`, if it asks for one.
    pub credentials: Option<PathBuf>,
}

/// What a link of a component that sends is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Subjects, with wildcards, that may be sent to beside inboxes. Empty, by default: all that are not the lattice's.
    pub subjects: Vec<String>,
    /// Whether `publish` waits until JetStream has stored the message; a subject that no stream takes is an error then.
    pub acknowledged: bool,
}

/// What a link from the provider to a component is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Subscription {
    /// Subjects, with wildcards. A durable subscription has one.
    pub subjects: Vec<String>,
    /// The queue group: of all who are in it, one gets each message. By default the subscription's own.
    pub queue: Option<String>,
    /// Messages that are handled at once by each process of the provider. 16 by default.
    pub concurrency: usize,
    /// The JetStream stream, which makes the subscription durable. Made, with the subject, if it is not there.
    pub stream: Option<String>,
    /// Copies that JetStream keeps, where the stream is made. 1 by default.
    pub replicas: usize,
    /// The name of the durable consumer. By default the subscription's own.
    pub durable: Option<String>,
    /// How often one message is given to a handler before it is set aside. 5 by default; 0: without end.
    pub max_deliver: u32,
    /// Milliseconds before a message is delivered again that was not handled. 1000 by default.
    pub redelivery_delay_ms: u64,
    /// The subject to which messages go that are set aside. By default they are only logged.
    pub dead_letter: Option<String>,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            subjects: Vec::new(),
            queue: None,
            concurrency: 16,
            stream: None,
            replicas: 1,
            durable: None,
            max_deliver: 5,
            redelivery_delay_ms: 1000,
            dead_letter: None,
        }
    }
}

impl Subscription {
    /// # Errors
    /// [`ProviderError::Config`]: it cannot work.
    pub(crate) fn check(&self) -> Result<(), ProviderError> {
        let wrong = |why: &str| Err(ProviderError::config(why));
        if self.subjects.is_empty() {
            return wrong("`subjects` is missing: what to subscribe to");
        }
        if self.stream.is_some() && self.subjects.len() > 1 {
            return wrong("a durable subscription has one subject; make a link for each");
        }
        if self.stream.is_some() && self.queue.is_some() {
            return wrong(
                "a durable subscription is shared by its `durable` name, not by a `queue`",
            );
        }
        if self.stream.is_none() && (self.durable.is_some() || self.dead_letter.is_some()) {
            return wrong("`durable` and `dead-letter` need a `stream`");
        }
        if self.concurrency == 0 {
            return wrong("`concurrency` is 1 at least");
        }
        self.subjects.iter().try_for_each(|each| subject::check_subscription(each))?;
        self.dead_letter.iter().try_for_each(|each| {
            subject::check(each).map_err(|failure| ProviderError::config(failure.to_string()))
        })
    }
}
