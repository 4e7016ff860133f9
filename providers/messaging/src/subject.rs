//! Subjects, the same for every backend: tokens with dots between them; in patterns `*` stands for one token, `>` for all
//! that follow.

use wicker_provider::ProviderError;

use crate::broker::Failure;

/// What the subjects begin with that answers go to.
pub const INBOX: &str = "_INBOX";

/// Checks a subject that a message is sent to.
///
/// # Errors
/// [`Failure::Invalid`]; [`Failure::Denied`] for what begins with `$`, which brokers keep for themselves.
pub fn check(subject: &str) -> Result<(), Failure> {
    if !is_well_formed(subject) || subject.split('.').any(|token| token == "*" || token == ">") {
        return Err(Failure::Invalid(format!("`{subject}` is no subject to send to")));
    }
    if subject.starts_with('$') {
        return Err(Failure::Denied(format!("`{subject}` is the broker's own")));
    }
    Ok(())
}

/// Checks a subject with wildcards.
///
/// # Errors
/// [`ProviderError::Config`]: it is none.
pub fn check_pattern(subject: &str) -> Result<(), ProviderError> {
    let ends_well = subject.split('.').rev().skip(1).all(|token| token != ">");
    if is_well_formed(subject) && ends_well {
        return Ok(());
    }
    Err(ProviderError::config(format!("`{subject}` is no subject")))
}

/// Checks what a subscription is to.
///
/// # Errors
/// [`ProviderError::Config`]: nothing, or what is no subject.
pub fn check_subscription(subjects: &[String]) -> Result<(), ProviderError> {
    if subjects.is_empty() {
        return Err(ProviderError::config("`subjects` is missing: what to subscribe to"));
    }
    subjects.iter().try_for_each(|each| check_pattern(each))
}

/// Whether one of `allowed` covers `subject`; answers may go to any inbox, and nothing allowed means everything.
#[must_use]
pub fn is_allowed(subject: &str, allowed: &[String]) -> bool {
    allowed.is_empty()
        || is_inbox(subject)
        || allowed.iter().any(|pattern| covers(pattern, subject))
}

/// Checks that a link allows `subject`.
///
/// # Errors
/// [`Failure::Denied`].
pub fn check_allowed(subject: &str, allowed: &[String]) -> Result<(), Failure> {
    if is_allowed(subject, allowed) {
        return Ok(());
    }
    Err(Failure::Denied(format!("the link does not allow `{subject}`")))
}

/// Whether an answer goes there.
#[must_use]
pub fn is_inbox(subject: &str) -> bool {
    subject.split('.').next() == Some(INBOX)
}

/// Whether a pattern covers a subject.
#[must_use]
pub fn covers(pattern: &str, subject: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_subject_is_refused() {
        for subject in ["a.>", "a.*", "", "a b", "a\r\nb", ".a", "a..b"] {
            assert!(matches!(check(subject), Err(Failure::Invalid(_))), "{subject}");
        }
        for subject in ["a..b", "a.>.b", "", "a b"] {
            check_pattern(subject).unwrap_err();
        }
        for subject in ["orders.>", "orders.*.new", "orders"] {
            check_pattern(subject).unwrap();
        }
        check_subscription(&[]).unwrap_err();
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
