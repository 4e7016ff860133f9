//! Rows as components built for wasmcloud:postgres read them: each type of PostgreSQL has a case of its own.

use sql::types::{Column, Date, Datetime, Time, Value};
use sql::{Rows, calendar, text};

use super::types::{self, Offset, PgValue, QueryError, ResultRow, ResultRowEntry, TimestampTz};

/// All rows of a result.
///
/// # Errors
/// [`QueryError::Unexpected`]: a column has no case.
pub(super) fn rows(all: Rows) -> Result<Vec<ResultRow>, QueryError> {
    let Rows { columns, rows } = all;
    let row = |row: Vec<Value>| {
        let entries = columns.iter().zip(row);
        let entry = |(column, value): (&Column, Value)| {
            let (column_name, type_name) = (column.name.clone(), &column.type_name);
            let none = || {
                QueryError::Unexpected(format!(
                    "`{column_name}` has type {type_name}; select it as text"
                ))
            };
            let value = write(value, type_name).ok_or_else(none)?;
            Ok(ResultRowEntry { column_name, value })
        };
        entries.map(entry).collect()
    };
    rows.into_iter().map(row).collect()
}

fn write(value: Value, ty: &str) -> Option<PgValue> {
    use PgValue as P;
    Some(match value {
        Value::Null => P::Null,
        Value::Boolean(value) => P::Bool(value),
        Value::Integer(value) => match ty {
            "int2" => P::Int2(value.try_into().ok()?),
            "int4" => P::Int4(value.try_into().ok()?),
            _ => P::Int8(value),
        },
        Value::Float(value) if ty == "float4" => P::Float4(single(value)),
        Value::Float(value) => P::Float8(double(value)),
        Value::Decimal(value) => P::Numeric(value),
        Value::Text(value) => match ty {
            "varchar" | "bpchar" => P::Varchar((None, value.into_bytes().into())),
            "name" => P::Name(value),
            "xml" => P::Xml(value),
            _ => P::Text(value),
        },
        Value::Bytes(value) => P::Bytea(value),
        Value::Uuid(value) => P::Uuid(value),
        Value::Json(value) => P::Json(value),
        Value::Date(value) => P::Date(date(&value)),
        Value::Time(value) => P::Time(time(&value)),
        Value::Datetime(value) => P::Timestamp(timestamp(&value)),
        Value::Timestamp(value) => {
            let timestamp = timestamp(&calendar::datetime(&value)?);
            P::TimestampTz(TimestampTz { timestamp, offset: Offset::WesternHemisphereSecs(0) })
        }
        Value::Booleans(all) => P::BoolArray(all.into_iter().collect::<Option<_>>()?),
        Value::Integers(all) => integers(all.into_iter().collect::<Option<_>>()?, ty)?,
        Value::Floats(all) => {
            let all: Vec<f64> = all.into_iter().collect::<Option<_>>()?;
            match ty {
                "_float4" => P::Float4Array(all.into_iter().map(single).collect()),
                _ => P::Float8Array(all.into_iter().map(double).collect()),
            }
        }
        Value::Texts(all) => texts(all.into_iter().collect::<Option<_>>()?, ty)?,
    })
}

fn integers(all: Vec<i64>, ty: &str) -> Option<PgValue> {
    Some(match ty {
        "_int2" => {
            PgValue::Int2Array(all.into_iter().map(|n| n.try_into().ok()).collect::<Option<_>>()?)
        }
        "_int4" => {
            PgValue::Int4Array(all.into_iter().map(|n| n.try_into().ok()).collect::<Option<_>>()?)
        }
        _ => PgValue::Int8Array(all),
    })
}

fn texts(all: Vec<String>, ty: &str) -> Option<PgValue> {
    Some(match ty {
        "_uuid" => PgValue::UuidArray(all),
        "_numeric" => PgValue::NumericArray(all),
        "_json" => PgValue::JsonArray(all),
        "_jsonb" => PgValue::JsonbArray(all),
        "_name" => PgValue::NameArray(all),
        "_xml" => PgValue::XmlArray(all),
        "_date" => {
            let dates = all.iter().map(|each| text::read_date(each).map(|each| date(&each)));
            PgValue::DateArray(dates.collect::<Option<_>>()?)
        }
        "_varchar" | "_bpchar" => {
            let bytes = all.into_iter().map(|each| (None, each.into_bytes().into()));
            PgValue::VarcharArray(bytes.collect())
        }
        _ => PgValue::TextArray(all),
    })
}

/// Mantissa, exponent of two and sign of a float: what they multiply to is the float.
fn double(value: f64) -> (u64, i16, i8) {
    let bits = value.to_bits();
    let exponent = i16::try_from(bits >> 52 & 0x7ff).unwrap_or_default();
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if exponent == 0 { fraction << 1 } else { fraction | 1 << 52 };
    (mantissa, exponent - 1_075, sign(value))
}

/// The same of a float of 32 bits.
fn single(value: f64) -> (u64, i16, i8) {
    #[expect(clippy::cast_possible_truncation, reason = "it was one of 32 bits")]
    let bits = (value as f32).to_bits();
    let exponent = i16::try_from(bits >> 23 & 0xff).unwrap_or_default();
    let fraction = bits & ((1 << 23) - 1);
    let mantissa = if exponent == 0 { fraction << 1 } else { fraction | 1 << 23 };
    (mantissa.into(), exponent - 150, sign(value))
}

fn sign(value: f64) -> i8 {
    if value.is_sign_negative() { -1 } else { 1 }
}

fn date(value: &Date) -> types::Date {
    types::Date::Ymd((value.year, value.month.into(), value.day.into()))
}

fn time(value: &Time) -> types::Time {
    types::Time {
        hour: value.hour.into(),
        min: value.minute.into(),
        sec: value.second.into(),
        micro: value.nanosecond / 1_000,
    }
}

fn timestamp(value: &Datetime) -> types::Timestamp {
    types::Timestamp { date: date(&value.date), time: time(&value.time) }
}
