//! What PostgreSQL says went wrong, in the interface's terms.

use std::error::Error as _;

use sql::types::{Constraint, Error, Mistake, Violation};
use tokio_postgres::Error as Failure;
use tokio_postgres::error::{DbError, ErrorPosition};

/// The error of a statement.
pub(crate) fn error(failure: &Failure) -> Error {
    match failure.as_db_error() {
        Some(said) => by_code(said),
        None if failure.is_closed() => Error::Lost("the connection to PostgreSQL broke".to_owned()),
        None => match conversion(failure) {
            Some(error) => error,
            None => Error::Lost(chain(failure)),
        },
    }
}

/// The error of an attempt to connect.
pub(crate) fn cannot_connect(failure: &Failure) -> Error {
    match failure.as_db_error() {
        Some(said) if said.code().code().starts_with("28") => {
            Error::Denied(said.message().to_owned())
        }
        Some(said) if said.code().code().starts_with("53") => {
            Error::Overloaded(said.message().to_owned())
        }
        _ => Error::Unavailable(chain(failure)),
    }
}

/// A value that could not be read or written here.
fn conversion(failure: &Failure) -> Option<Error> {
    let mut cause = failure.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<Unreadable>() {
            return Some(Error::Conversion(error.to_string()));
        }
        cause = error.source();
    }
    None
}

/// A value that is not what the other side can hold.
#[derive(Debug)]
pub(crate) struct Unreadable(pub(crate) String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

fn chain(failure: &Failure) -> String {
    match failure.source() {
        Some(source) => format!("{failure}: {source}"),
        None => failure.to_string(),
    }
}

/// By SQLSTATE: its class, where the class says enough.
fn by_code(said: &DbError) -> Error {
    let (code, message) = (said.code().code(), said.message().to_owned());
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        ("23", _) => Error::Violation(violation(said)),
        (_, "40001" | "40P01" | "55P03") => Error::Serialization(message),
        (_, "57014") => Error::Deadline(message),
        (_, "25P02" | "25P04") => Error::Gone(message),
        (_, "42501" | "25006") | ("28", _) => Error::Denied(message),
        ("42" | "26" | "0A" | "3F" | "3D", _) => Error::Mistake(mistake(said)),
        ("22", _) => Error::Conversion(message),
        ("57", _) | ("08", _) => Error::Lost(message),
        ("53", "53300") => Error::Overloaded(message),
        _ => Error::Other(format!("{code}: {message}")),
    }
}

fn mistake(said: &DbError) -> Mistake {
    let position = match said.position() {
        Some(ErrorPosition::Original(position)) => Some(*position),
        _ => None,
    };
    Mistake { position, message: said.message().to_owned() }
}

fn violation(said: &DbError) -> Violation {
    let constraint = match said.code().code() {
        "23505" => Constraint::Unique,
        "23503" => Constraint::ForeignKey,
        "23502" => Constraint::NotNull,
        "23514" => Constraint::Check,
        "23P01" => Constraint::Exclusion,
        _ => Constraint::Other,
    };
    let text = |text: Option<&str>| text.map(ToOwned::to_owned);
    Violation {
        constraint,
        name: text(said.constraint()),
        table: text(said.table()),
        column: text(said.column()),
        message: said.message().to_owned(),
    }
}
