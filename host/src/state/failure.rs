//! Why a start failed, for people and for what is tried next.

use std::error::Error;

/// Why a start failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people, one line.
    pub reason: String,
    /// Trying the same again cannot help.
    pub is_final: bool,
}

impl Failure {
    /// The same again may work.
    #[must_use]
    pub fn passing(error: &dyn Error) -> Self {
        Self { reason: one_line(error), is_final: false }
    }

    /// The same again cannot work.
    #[must_use]
    pub fn lasting(error: &dyn Error) -> Self {
        Self { reason: one_line(error), is_final: true }
    }
}

/// An error and its causes on one line.
#[must_use]
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}
