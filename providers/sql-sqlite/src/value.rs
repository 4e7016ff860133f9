//! Values as SQLite stores them: null, integers, floats, text and bytes.
//!
//! | written | stored as | read from a column declared | as |
//! |---|---|---|---|
//! | `boolean` | 0 or 1 | `BOOLEAN` | `boolean` |
//! | `decimal` | text | `DECIMAL`, `NUMERIC` | `decimal`; SQLite makes a float of it there, `TEXT` keeps every digit |
//! | `uuid` | text | `UUID` | `uuid` |
//! | `date`, `time` | text, ISO 8601 | `DATE`, `TIME` | `date`, `time` |
//! | `datetime` | text, ISO 8601 | `DATETIME`, `TIMESTAMP` | `datetime` |
//! | `timestamp` | text, ISO 8601 in UTC | `TIMESTAMPTZ`, `TIMESTAMP WITH TIME ZONE` | `timestamp` |
//! | `json`, lists | text | `JSON` | `json` |
//!
//! What does not read as its column is declared, and what is the value of an expression, is read as it is stored.

use rusqlite::types::{Value as Stored, ValueRef};
use sql::text;
use sql::types::{Error, Value};

/// As what a column is read, by its declared type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// As it is stored.
    Plain,
    /// `BOOLEAN`.
    Boolean,
    /// `DECIMAL`.
    Decimal,
    /// `UUID`.
    Uuid,
    /// `DATE`.
    Date,
    /// `TIME`.
    Time,
    /// `DATETIME`.
    Datetime,
    /// `TIMESTAMPTZ`.
    Timestamp,
    /// `JSON`.
    Json,
}

impl Declared {
    /// By the text of the declaration.
    #[must_use]
    pub fn of(declaration: &str) -> Self {
        let name = declaration.split('(').next().unwrap_or_default().trim().to_ascii_uppercase();
        match name.as_str() {
            "BOOLEAN" | "BOOL" => Self::Boolean,
            "DECIMAL" | "NUMERIC" => Self::Decimal,
            "UUID" => Self::Uuid,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => Self::Datetime,
            "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => Self::Timestamp,
            "JSON" | "JSONB" => Self::Json,
            _ => Self::Plain,
        }
    }
}

/// What is stored for a parameter.
///
/// # Errors
/// [`Error::Conversion`]: a moment that has no day.
pub fn write(value: Value) -> Result<Stored, Error> {
    Ok(match value {
        Value::Null => Stored::Null,
        Value::Boolean(value) => Stored::Integer(value.into()),
        Value::Integer(value) => Stored::Integer(value),
        Value::Float(value) => Stored::Real(value),
        Value::Decimal(value) | Value::Text(value) | Value::Uuid(value) | Value::Json(value) => {
            Stored::Text(value)
        }
        Value::Bytes(value) => Stored::Blob(value.into()),
        Value::Date(value) => Stored::Text(text::date(&value)),
        Value::Time(value) => Stored::Text(text::time(&value)),
        Value::Datetime(value) => Stored::Text(text::datetime(&value)),
        Value::Timestamp(value) => {
            let text = text::timestamp(&value);
            let none = || Error::Conversion(format!("{value:?} is on no day of the calendar"));
            Stored::Text(text.ok_or_else(none)?)
        }
        Value::Booleans(values) => list(&values, |value| value.to_string()),
        Value::Integers(values) => list(&values, |value| value.to_string()),
        Value::Floats(values) => list(&values, |value| value.to_string()),
        Value::Texts(values) => list(&values, |value| quoted(value)),
    })
}

/// A list is JSON.
fn list<T>(values: &[Option<T>], write: impl Fn(&T) -> String) -> Stored {
    let values =
        values.iter().map(|value| value.as_ref().map_or_else(|| "null".to_owned(), &write));
    Stored::Text(format!("[{}]", values.collect::<Vec<_>>().join(",")))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a stored value is, in a column of this kind.
///
/// # Errors
/// [`Error::Conversion`]: text that is not UTF-8.
pub fn read(stored: ValueRef<'_>, declared: Declared) -> Result<Value, Error> {
    Ok(match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => match declared {
            Declared::Boolean if value == 0 || value == 1 => Value::Boolean(value == 1),
            Declared::Decimal => Value::Decimal(value.to_string()),
            Declared::Json => Value::Json(value.to_string()),
            _ => Value::Integer(value),
        },
        ValueRef::Real(value) => match declared {
            Declared::Decimal => Value::Decimal(value.to_string()),
            Declared::Json => Value::Json(value.to_string()),
            _ => Value::Float(value),
        },
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|_| Error::Conversion("a text is not UTF-8".to_owned()))?;
            read_text(text, declared).unwrap_or_else(|| Value::Text(text.to_owned()))
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec().into()),
    })
}

fn read_text(stored: &str, declared: Declared) -> Option<Value> {
    match declared {
        Declared::Plain | Declared::Boolean => None,
        Declared::Decimal => Some(Value::Decimal(stored.to_owned())),
        Declared::Uuid => Some(Value::Uuid(stored.to_owned())),
        Declared::Json => Some(Value::Json(stored.to_owned())),
        Declared::Date => text::read_date(stored).map(Value::Date),
        Declared::Time => text::read_time(stored).map(Value::Time),
        Declared::Datetime => text::read_datetime(stored)
            .map(Value::Datetime)
            .or_else(|| text::read_timestamp(stored).map(Value::Timestamp)),
        Declared::Timestamp => text::read_timestamp(stored).map(Value::Timestamp),
    }
}
