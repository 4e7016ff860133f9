//! What goes wrong with providers and their links, and whether trying again can help.

use std::error::Error;

use wicker_lattice::id::ObjectId;

/// A provider could not start, or a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The config cannot work. Trying again changes nothing.
    #[error("{0}")]
    Config(String),
    /// The backend does not answer, or refuses. It may later.
    #[error("{attempt}")]
    Backend {
        /// What was attempted, on what.
        attempt: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ProviderError {
    /// The config cannot work, and why.
    pub fn config(why: impl Into<String>) -> Self {
        Self::Config(why.into())
    }

    /// `attempt` failed in the backend.
    pub fn backend(
        attempt: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Backend { attempt: attempt.into(), source: source.into() }
    }

    /// The error and its causes on one line, for people.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// A link could not be opened. It is tried again with the next call that comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot open the link of {source_id} for {scope}: {cause}")]
pub struct LinkFailure {
    /// Whose link.
    pub source_id: ObjectId,
    /// For what.
    pub scope: String,
    /// Why.
    pub cause: String,
    /// Trying again changes nothing: its config is wrong. Callers are told so at once.
    pub is_final: bool,
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors end with their cause's text; once is enough.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
