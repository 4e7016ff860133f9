//! Columns of PostgreSQL, from their binary form.

use std::error::Error as StdError;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::types as raw;
use sql::types::{Datetime, Time, Timestamp, Value};
use sql::{calendar, text};
use tokio_postgres::types::{FromSql, Kind, Type};

use crate::error::Unreadable;
use crate::numeric;

/// Days from 1970-01-01, from which the lattice counts, to 2000-01-01, from which PostgreSQL does.
const EPOCH_DAYS: i64 = 10_957;

type Decoding<T> = Result<T, Box<dyn StdError + Sync + Send>>;

/// One column of one row.
pub(crate) struct Decoded(pub(crate) Value);

impl<'a> FromSql<'a> for Decoded {
    fn from_sql(ty: &Type, bytes: &'a [u8]) -> Decoding<Self> {
        value(ty, bytes).map(Self)
    }

    fn from_sql_null(_ty: &Type) -> Decoding<Self> {
        Ok(Self(Value::Null))
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }
}

fn value(ty: &Type, bytes: &[u8]) -> Decoding<Value> {
    Ok(match *ty {
        Type::BOOL => Value::Boolean(raw::bool_from_sql(bytes)?),
        Type::INT2 => Value::Integer(raw::int2_from_sql(bytes)?.into()),
        Type::INT4 => Value::Integer(raw::int4_from_sql(bytes)?.into()),
        Type::INT8 => Value::Integer(raw::int8_from_sql(bytes)?),
        Type::OID => Value::Integer(raw::oid_from_sql(bytes)?.into()),
        Type::FLOAT4 => Value::Float(raw::float4_from_sql(bytes)?.into()),
        Type::FLOAT8 => Value::Float(raw::float8_from_sql(bytes)?),
        Type::NUMERIC => {
            Value::Decimal(numeric::read(bytes).ok_or_else(|| unreadable("a numeric is cut off"))?)
        }
        Type::BYTEA => Value::Bytes(bytes.to_vec().into()),
        Type::UUID => Value::Uuid(uuid(raw::uuid_from_sql(bytes)?)),
        Type::JSON => Value::Json(raw::text_from_sql(bytes)?.to_owned()),
        Type::JSONB => {
            let json = bytes.strip_prefix(&[1]).ok_or_else(|| unreadable("an unknown jsonb"))?;
            Value::Json(raw::text_from_sql(json)?.to_owned())
        }
        Type::DATE => Value::Date(day(raw::date_from_sql(bytes)?.into())?),
        Type::TIME => Value::Time(time(raw::time_from_sql(bytes)?)?),
        Type::TIMESTAMP => Value::Datetime(datetime(raw::timestamp_from_sql(bytes)?)?),
        Type::TIMESTAMPTZ => Value::Timestamp(moment(raw::timestamp_from_sql(bytes)?)?),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML => {
            Value::Text(raw::text_from_sql(bytes)?.to_owned())
        }
        Type::VOID => Value::Null,
        _ => match ty.kind() {
            Kind::Enum(_) => Value::Text(raw::text_from_sql(bytes)?.to_owned()),
            Kind::Domain(inner) => value(inner, bytes)?,
            Kind::Array(element) => list(element, bytes)?,
            _ if matches!(ty.name(), "citext" | "ltree") => {
                Value::Text(raw::text_from_sql(bytes)?.to_owned())
            }
            _ => {
                return Err(unreadable(&format!(
                    "a `{ty}` has no value here; select it as text (::text)"
                )));
            }
        },
    })
}

fn unreadable(why: &str) -> Box<dyn StdError + Sync + Send> {
    Box::new(Unreadable(why.to_owned()))
}

fn list(element: &Type, bytes: &[u8]) -> Decoding<Value> {
    let array = raw::array_from_sql(bytes)?;
    if array.dimensions().count()? > 1 {
        return Err(unreadable("a list of lists has no value here; select it as json (to_json)"));
    }
    let values = array.values().map(|bytes| bytes.map(|bytes| value(element, bytes)).transpose());
    let values: Vec<Option<Value>> = values.collect()?;
    let each = values.into_iter();
    Ok(match *element {
        Type::BOOL => Value::Booleans(each.map(|v| v.and_then(boolean)).collect()),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
            Value::Integers(each.map(|v| v.and_then(integer)).collect())
        }
        Type::FLOAT4 | Type::FLOAT8 => Value::Floats(each.map(|v| v.and_then(float)).collect()),
        _ => {
            let texts =
                each.map(|v| v.map(|v| written(v).ok_or_else(|| no_list(element))).transpose());
            Value::Texts(texts.collect::<Result<_, _>>()?)
        }
    })
}

fn no_list(element: &Type) -> Box<dyn StdError + Sync + Send> {
    unreadable(&format!("a list of `{element}` has no value here; select it as json (to_json)"))
}

fn boolean(value: Value) -> Option<bool> {
    if let Value::Boolean(value) = value { Some(value) } else { None }
}

fn integer(value: Value) -> Option<i64> {
    if let Value::Integer(value) = value { Some(value) } else { None }
}

fn float(value: Value) -> Option<f64> {
    if let Value::Float(value) = value { Some(value) } else { None }
}

/// What is written as text in a list.
fn written(value: Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Decimal(text) | Value::Uuid(text) | Value::Json(text) => {
            Some(text)
        }
        Value::Date(value) => Some(text::date(&value)),
        Value::Time(value) => Some(text::time(&value)),
        Value::Datetime(value) => Some(text::datetime(&value)),
        Value::Timestamp(value) => text::timestamp(&value),
        _ => None,
    }
}

fn uuid(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let part = |from: u32, digits: u32| number >> (128 - from - digits) & ((1 << digits) - 1);
    let (a, b, c, d, e) = (part(0, 32), part(32, 16), part(48, 16), part(64, 16), part(80, 48));
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

fn day(days: i64) -> Decoding<sql::types::Date> {
    let infinite = [i32::MAX, i32::MIN].map(i64::from).contains(&days);
    let date = if infinite { None } else { calendar::date(days + EPOCH_DAYS) };
    date.ok_or_else(|| unreadable("an infinite day has no value here"))
}

fn time(microseconds: i64) -> Decoding<Time> {
    calendar::time(microseconds * 1_000).ok_or_else(|| unreadable("24:00 is no time of day here"))
}

fn moment(microseconds: i64) -> Decoding<Timestamp> {
    if microseconds == i64::MAX || microseconds == i64::MIN {
        return Err(unreadable("an infinite moment has no value here"));
    }
    let seconds = microseconds.div_euclid(1_000_000) + EPOCH_DAYS * calendar::DAY;
    let nanoseconds = u32::try_from(microseconds.rem_euclid(1_000_000) * 1_000)?;
    Ok(Timestamp { seconds, nanoseconds })
}

fn datetime(microseconds: i64) -> Decoding<Datetime> {
    calendar::datetime(&moment(microseconds)?).ok_or_else(|| unreadable("a day past the calendar"))
}
