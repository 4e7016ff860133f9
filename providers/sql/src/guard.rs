//! What a caller's statement may not do to a connection that serves others after it: begin or end a transaction behind
//! the provider's back.

use crate::types::{Error, Mistake};

/// Checks a statement outside of a transaction.
///
/// # Errors
/// [`Error::Mistake`]: it would begin or end one.
pub fn alone(text: &str) -> Result<(), Error> {
    let (first, _) = words(text);
    match first.as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            Err(refused(&first, "begin one with transaction.begin"))
        }
        _ => Ok(()),
    }
}

/// Checks a statement of a transaction, which may have savepoints.
///
/// # Errors
/// [`Error::Mistake`]: it would end the transaction, or begin another.
pub fn in_transaction(text: &str) -> Result<(), Error> {
    let (first, second) = words(text);
    match (first.as_str(), second.as_str()) {
        ("ROLLBACK", "TO") => Ok(()),
        ("BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT", _)
        | ("PREPARE", "TRANSACTION") => {
            Err(refused(&first, "end it with transaction.commit or transaction.rollback"))
        }
        _ => Ok(()),
    }
}

fn refused(word: &str, instead: &str) -> Error {
    let message = format!("`{word}` is not for statements: {instead}");
    Error::Mistake(Mistake { position: Some(1), message })
}

/// The first two words of a statement, after comments, in capitals.
fn words(text: &str) -> (String, String) {
    let mut rest = text;
    let mut word = || {
        rest = skip(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        word.to_ascii_uppercase()
    };
    (word(), word())
}

/// What follows white space, empty statements and comments.
fn skip(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let after = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = text.strip_prefix("/*") {
            after_comment(comment)
        } else {
            return text;
        };
        text = after;
    }
}

/// What follows a comment, in which there may be others.
fn after_comment(mut text: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let Some(at) = text.find(['*', '/']) else { return "" };
        let (_, from) = text.split_at(at);
        let (change, len) = match from {
            _ if from.starts_with("*/") => (-1, 2),
            _ if from.starts_with("/*") => (1, 2),
            _ => (0, 1),
        };
        depth += change;
        text = from.get(len..).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_cannot_end_the_transaction_that_it_is_in() {
        for text in ["commit", " ;-- x\n /* a /* b */ */ COMMIT", "rollback", "begin", "Abort;"] {
            assert!(in_transaction(text).is_err(), "{text}");
            assert!(alone(text).is_err(), "{text}");
        }
        for text in ["savepoint a", "rollback to a", "release a"] {
            assert!(in_transaction(text).is_ok(), "{text}");
            assert!(alone(text).is_err(), "{text}");
        }
        for text in ["select 1", "with beginning as (select 1) select 2", "", "/* commit"] {
            assert!(in_transaction(text).is_ok() && alone(text).is_ok(), "{text}");
        }
    }
}
