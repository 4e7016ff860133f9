//! Parameters for PostgreSQL: as text, which the server reads as what the statement wants there.

use std::error::Error as StdError;

use bytes::{BufMut as _, BytesMut};
use sql::types::{Date, Value};
use sql::{calendar, text};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::error::Unreadable;

/// One parameter.
#[derive(Debug)]
pub(crate) struct Parameter(pub(crate) Value);

impl ToSql for Parameter {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (&self.0, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            (value, _) => out.put_slice(written(value)?.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        match (&self.0, ty) {
            (Value::Bytes(_), &Type::BYTEA) => Format::Binary,
            _ => Format::Text,
        }
    }

    to_sql_checked!();
}

fn written(value: &Value) -> Result<String, Unreadable> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::Decimal(text) | Value::Text(text) | Value::Uuid(text) | Value::Json(text) => {
            text.clone()
        }
        Value::Bytes(bytes) => hex(bytes),
        Value::Date(value) => era(value, date(value)),
        Value::Time(value) => text::time(value),
        Value::Datetime(value) => {
            era(&value.date, format!("{} {}", date(&value.date), text::time(&value.time)))
        }
        Value::Timestamp(value) => {
            let at = calendar::datetime(value);
            let at = at.ok_or_else(|| Unreadable(format!("{value:?} is on no day")))?;
            era(&at.date, format!("{} {}+00", date(&at.date), text::time(&at.time)))
        }
        Value::Booleans(values) => list(values, ToString::to_string),
        Value::Integers(values) => list(values, ToString::to_string),
        Value::Floats(values) => list(values, |value| float(*value)),
        Value::Texts(values) => list(values, |value| quoted(value)),
    })
}

fn float(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => value.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    ['\\', 'x'].into_iter().chain(digits).collect()
}

/// PostgreSQL counts years before the first from 1.
fn date(date: &Date) -> String {
    let year = if date.year > 0 { date.year } else { 1 - date.year };
    text::date(&Date { year, ..date.clone() })
}

fn era(date: &Date, text: String) -> String {
    if date.year > 0 { text } else { format!("{text} BC") }
}

fn list<T>(values: &[Option<T>], write: impl Fn(&T) -> String) -> String {
    let null = || "NULL".to_owned();
    let values = values.iter().map(|value| value.as_ref().map_or_else(null, &write));
    format!("{{{}}}", values.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
