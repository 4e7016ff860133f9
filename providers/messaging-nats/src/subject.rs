//! Subjects that are not for components.
//!
//! By default the provider is on the NATS system of the lattice, where calls and state are messages too. So `wicker.>`
//! and everything that begins with `$` is refused, and a subscription cannot begin with a wildcard. Answers go to inboxes.

use messaging::Failure;
use messaging::subject::{self, INBOX};
use wicker_provider::ProviderError;
use wicker_provider::lattice::subject::PREFIX;

/// Checks a subject that a message is sent to.
///
/// # Errors
/// [`Failure::Invalid`] or [`Failure::Denied`].
pub(crate) fn check(subject: &str) -> Result<(), Failure> {
    subject::check(subject)?;
    if is_reserved(subject) {
        return Err(Failure::Denied(format!("`{subject}` is not for components")));
    }
    Ok(())
}

/// Checks what a subscription is to.
///
/// # Errors
/// [`ProviderError::Config`]: it is no subject, or one that components have no business with.
pub(crate) fn check_subscription(subject: &str) -> Result<(), ProviderError> {
    subject::check_pattern(subject)?;
    let first = subject.split('.').next().unwrap_or_default();
    if is_reserved(subject) || [INBOX, "*", ">"].contains(&first) {
        let why = "it would hear what the lattice or NATS itself says";
        return Err(ProviderError::config(format!("cannot subscribe to `{subject}`: {why}")));
    }
    Ok(())
}

fn is_reserved(subject: &str) -> bool {
    let first = subject.split('.').next().unwrap_or_default();
    first == PREFIX || first.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_lattice_and_nats_say_among_themselves_is_not_for_components() {
        for subject in ["wicker.test.q.x.stop", "$JS.API.STREAM.DELETE.KV_x", "$KV.wicker.x"] {
            assert!(matches!(check(subject), Err(Failure::Denied(_))), "{subject}");
            check_subscription(subject).unwrap_err();
        }
        for subject in [">", "*.x", "*", "_INBOX.>"] {
            check_subscription(subject).unwrap_err();
        }
        for subject in ["orders.new", "_INBOX.x.y", "wickerwork"] {
            check(subject).unwrap();
        }
        for subject in ["orders.>", "orders.*.new", "orders"] {
            check_subscription(subject).unwrap();
        }
    }
}
