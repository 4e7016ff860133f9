//! Subjects: which are well formed, and which are not for components.
//!
//! By default the provider is on the NATS system of the lattice, where calls and state are messages too. So `wicker.>`
//! and everything that begins with `$` is refused, and a subscription cannot begin with a wildcard. Answers go to inboxes.

use messaging::Failure;
use wicker_provider::ProviderError;
use wicker_provider::lattice::subject::PREFIX;

/// What NATS clients put their answers under.
const INBOX: &str = "_INBOX";

/// Checks a subject that a message is sent to.
///
/// # Errors
/// [`Failure::Invalid`] or [`Failure::Denied`].
pub(crate) fn check(subject: &str) -> Result<(), Failure> {
    if !is_well_formed(subject) || subject.split('.').any(|token| token == "*" || token == ">") {
        return Err(Failure::Invalid(format!("`{subject}` is no subject to send to")));
    }
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
    check_pattern(subject)?;
    let first = subject.split('.').next().unwrap_or_default();
    if is_reserved(subject) || [INBOX, "*", ">"].contains(&first) {
        let why = "it would hear what the lattice or NATS itself says";
        return Err(ProviderError::config(format!("cannot subscribe to `{subject}`: {why}")));
    }
    Ok(())
}

/// Checks the subjects that a link allows.
///
/// # Errors
/// [`ProviderError::Config`]: one is no subject.
pub(crate) fn check_allowed(subjects: &[String]) -> Result<(), ProviderError> {
    subjects.iter().try_for_each(|each| check_pattern(each))
}

fn check_pattern(subject: &str) -> Result<(), ProviderError> {
    let ends_well = subject.split('.').rev().skip(1).all(|token| token != ">");
    if is_well_formed(subject) && ends_well {
        return Ok(());
    }
    Err(ProviderError::config(format!("`{subject}` is no subject")))
}

/// Whether one of `allowed` covers `subject`; answers may go to any inbox, and nothing allowed means everything.
pub(crate) fn is_allowed(subject: &str, allowed: &[String]) -> bool {
    let is_inbox = subject.split('.').next() == Some(INBOX);
    allowed.is_empty() || is_inbox || allowed.iter().any(|pattern| covers(pattern, subject))
}

fn covers(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

fn is_well_formed(subject: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && !token.chars().any(|c| c.is_whitespace() || c.is_control())
    };
    subject.split('.').all(is_token)
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
        for subject in [">", "*.x", "*", "_INBOX.>", "a..b", "a.>.b", "", "a b"] {
            check_subscription(subject).unwrap_err();
        }
        for subject in ["a.>", "a.*", "", "a b", "a\r\nb", ".a"] {
            assert!(matches!(check(subject), Err(Failure::Invalid(_))), "{subject}");
        }
        for subject in ["orders.new", "_INBOX.x.y", "wickerwork"] {
            check(subject).unwrap();
        }
        for subject in ["orders.>", "orders.*.new", "orders"] {
            check_subscription(subject).unwrap();
        }
    }

    #[test]
    fn link_allows_what_one_of_its_subjects_covers() {
        let allowed = ["orders.*".to_owned(), "logs.>".to_owned()];
        for (subject, expected) in [
            ("orders.new", true),
            ("orders", false),
            ("orders.new.x", false),
            ("logs.a.b", true),
            ("logs", false),
            ("_INBOX.a", true),
            ("other", false),
        ] {
            assert_eq!(is_allowed(subject, &allowed), expected, "{subject}");
        }
        assert!(is_allowed("other", &[]));
    }
}
