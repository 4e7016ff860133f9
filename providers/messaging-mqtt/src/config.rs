//! What the provider, a link to it and a subscription are configured with.

use std::fmt;

use messaging::subject;
use serde::Deserialize;
use wicker_provider::ProviderError;

/// What the provider is configured with.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// `mqtt://host:port`, or `mqtts://host:port` with TLS by the system's authorities. `mqtt://127.0.0.1:1883` by default.
    pub url: String,
    /// Who it is to the broker, if that asks.
    pub username: Option<String>,
    /// And its word for it.
    pub password: Option<String>,
    /// Bytes of one message at most. 1 MiB by default.
    pub message_bytes_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "mqtt://127.0.0.1:1883".to_owned(),
            username: None,
            password: None,
            message_bytes_max: 1 << 20,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What a link of a component that sends is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Subjects, with wildcards, that may be sent to beside inboxes. Empty, by default: all but the broker's own.
    pub subjects: Vec<String>,
}

/// What a link from the provider to a component is configured with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Subscription {
    /// Subjects, with wildcards.
    pub subjects: Vec<String>,
    /// Messages that are handled at once. 16 by default.
    pub concurrency: u16,
    /// Whether the broker keeps messages until they were handled, also while this provider is away.
    pub durable: bool,
    /// Of a durable one: how many seconds the broker keeps it while nobody is connected. A day by default.
    pub session_expiry_s: u32,
    /// Of a durable one: how often one message is given to a handler before it is set aside. 5 by default; 0: without end.
    pub max_deliver: u32,
    /// Of a durable one: milliseconds before a message is delivered again that was not handled. 1000 by default.
    pub redelivery_delay_ms: u64,
    /// Of a durable one: the subject to which messages go that are set aside. By default they are only logged.
    pub dead_letter: Option<String>,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            subjects: Vec::new(),
            concurrency: 16,
            durable: false,
            session_expiry_s: 24 * 60 * 60,
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
        if self.subjects.iter().any(|each| each.starts_with('$')) {
            return Err(ProviderError::config("subjects that begin with `$` are the broker's own"));
        }
        if self.concurrency == 0 {
            return Err(ProviderError::config("`concurrency` is 1 at least"));
        }
        if self.dead_letter.is_some() && !self.durable {
            return Err(ProviderError::config("`dead-letter` needs `durable: \"true\"`"));
        }
        self.dead_letter.iter().try_for_each(|each| {
            subject::check(each).map_err(|failure| ProviderError::config(failure.to_string()))
        })
    }
}
