//! What SQLite says went wrong, in the interface's terms.

use rusqlite::{Error as Sqlite, ErrorCode, ffi};
use sql::types::{Constraint, Error, Mistake, Violation};

/// The error that `failure` is.
pub(crate) fn error(failure: &Sqlite) -> Error {
    match failure {
        Sqlite::SqlInputError { msg, sql, offset, .. } => {
            let before = usize::try_from(*offset).ok().and_then(|offset| sql.get(..offset));
            let position = before.and_then(|before| u32::try_from(before.chars().count() + 1).ok());
            Error::Mistake(Mistake { position, message: msg.clone() })
        }
        Sqlite::SqliteFailure(code, message) => {
            failed(*code, message.clone().unwrap_or_else(|| code.to_string()))
        }
        Sqlite::MultipleStatement => mistake("there is more than one statement".to_owned()),
        Sqlite::InvalidColumnType(..)
        | Sqlite::FromSqlConversionFailure(..)
        | Sqlite::Utf8Error(..)
        | Sqlite::NulError(..) => Error::Conversion(failure.to_string()),
        other => Error::Other(other.to_string()),
    }
}

pub(crate) fn mistake(message: String) -> Error {
    Error::Mistake(Mistake { position: None, message })
}

fn failed(code: ffi::Error, message: String) -> Error {
    match code.code {
        ErrorCode::ConstraintViolation => Error::Violation(violation(code.extended_code, message)),
        ErrorCode::OperationInterrupted => {
            Error::Deadline("the time was up; the statement was interrupted".to_owned())
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Serialization(message),
        ErrorCode::ReadOnly
        | ErrorCode::AuthorizationForStatementDenied
        | ErrorCode::PermissionDenied => Error::Denied(message),
        ErrorCode::CannotOpen => Error::Unavailable(message),
        ErrorCode::TypeMismatch | ErrorCode::TooBig => Error::Conversion(message),
        ErrorCode::Unknown if code.extended_code == ffi::SQLITE_ERROR => mistake(message),
        _ => Error::Other(message),
    }
}

/// SQLite names what was violated in its message: `UNIQUE constraint failed: notes.title`.
fn violation(code: i32, message: String) -> Violation {
    let subject = message.split_once("failed: ").map(|(_, subject)| subject.to_owned());
    let constraint = match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
        _ => Constraint::Other,
    };
    let column = subject.as_deref().and_then(|subject| subject.split(", ").next());
    let (table, column) = match (constraint, column.and_then(|column| column.split_once('.'))) {
        (Constraint::Unique | Constraint::NotNull, Some((table, column))) => {
            (Some(table.to_owned()), Some(column.to_owned()))
        }
        _ => (None, None),
    };
    let name = if constraint == Constraint::Check { subject } else { None };
    Violation { constraint, name, table, column, message }
}
