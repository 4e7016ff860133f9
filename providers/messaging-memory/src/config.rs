//! What the provider, a link to it and a subscription are configured with.

use messaging::subject;
use serde::Deserialize;
use wicker_provider::ProviderError;

/// What the provider is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of one message at most. 1 MiB by default, as NATS has it.
    pub message_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { message_bytes_max: 1 << 20 }
    }
}

/// What a link of a component that sends is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Subjects, with wildcards, that may be sent to beside inboxes. Empty, by default: all.
    pub subjects: Vec<String>,
}

/// What a link from the provider to a component is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Subscription {
    /// Subjects, with wildcards.
    pub subjects: Vec<String>,
    /// Messages that are handled at once. 16 by default.
    pub concurrency: usize,
    /// Messages that wait for their turn at most. 4096 by default.
    pub queue_max: usize,
    /// How often one message is given to a handler before it is set aside. 5 by default; 1: at most once; 0: without end.
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
            concurrency: 16,
            queue_max: 4096,
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
        subject::check_subscription(&self.subjects)?;
        if self.concurrency == 0 || self.queue_max == 0 {
            return Err(ProviderError::config("`concurrency` and `queue-max` are 1 at least"));
        }
        self.dead_letter.iter().try_for_each(|each| {
            subject::check(each).map_err(|failure| ProviderError::config(failure.to_string()))
        })
    }
}
