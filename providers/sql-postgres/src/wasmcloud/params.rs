//! Parameters as components built for wasmcloud:postgres write them.

use sql::calendar;
use sql::types::{Date, Datetime, Time, Timestamp, Value};

use super::types::{self, Offset, PgValue};

/// All parameters of one statement.
///
/// # Errors
/// Why one cannot be passed on.
pub(super) fn read_all(values: Vec<PgValue>) -> Result<Vec<Value>, String> {
    values.into_iter().map(read).collect()
}

fn read(value: PgValue) -> Result<Value, String> {
    use PgValue as P;
    Ok(match value {
        P::Null => Value::Null,
        P::BigInt(n) | P::Int8(n) | P::BigSerial(n) | P::Serial8(n) => Value::Integer(n),
        P::Integer(n) | P::Int(n) | P::Int4(n) => Value::Integer(n.into()),
        P::SmallInt(n) | P::Int2(n) | P::SmallSerial(n) | P::Serial2(n) => Value::Integer(n.into()),
        P::Serial(n) | P::Serial4(n) => Value::Integer(n.into()),
        P::Int8Array(all) => integers(all),
        P::Int4Array(all) => integers(all),
        P::Int2Array(all) | P::Int2Vector(all) => integers(all),
        P::Bool(value) | P::Boolean(value) => Value::Boolean(value),
        P::BoolArray(all) => Value::Booleans(all.into_iter().map(Some).collect()),
        P::Double(parts) | P::Float8(parts) | P::Real(parts) | P::Float4(parts) => {
            Value::Float(float(parts))
        }
        P::Float8Array(all) | P::Float4Array(all) => {
            Value::Floats(all.into_iter().map(|parts| Some(float(parts))).collect())
        }
        P::Numeric(text) | P::Decimal(text) | P::Money(text) => Value::Decimal(text),
        P::Bytea(bytes) => Value::Bytes(bytes),
        P::Char((_, bytes)) => Value::Text(text(bytes.into())?),
        P::Varchar((_, bytes)) => Value::Text(text(bytes.into())?),
        P::Text(text) | P::Name(text) | P::Xml(text) | P::Cidr(text) | P::Inet(text) => {
            Value::Text(text)
        }
        P::Json(text) | P::Jsonb(text) => Value::Json(text),
        P::Uuid(text) => Value::Uuid(text),
        P::TextArray(all)
        | P::NameArray(all)
        | P::XmlArray(all)
        | P::NumericArray(all)
        | P::JsonArray(all)
        | P::JsonbArray(all)
        | P::UuidArray(all) => Value::Texts(all.into_iter().map(Some).collect()),
        P::Date(value) => date(&value).map_or_else(infinite(&value), Value::Date),
        P::Time(value) => Value::Time(time(&value)?),
        P::Timestamp(value) => Value::Datetime(datetime(&value)?),
        P::TimestampTz(value) => Value::Timestamp(moment(&value)?),
        _ => return Err(
            "a parameter of this kind cannot be passed; pass text, and cast it in the statement"
                .to_owned(),
        ),
    })
}

fn integers(all: Vec<impl Into<i64>>) -> Value {
    Value::Integers(all.into_iter().map(|n| Some(n.into())).collect())
}

/// A float in parts: mantissa, exponent of two, sign.
fn float((mantissa, exponent, sign): (u64, i16, i8)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a mantissa has 53 bits")]
    let mantissa = mantissa as f64;
    // In two steps, for the smallest floats have exponents below what one step reaches.
    let half = i32::from(exponent) / 2;
    f64::from(sign) * mantissa * 2_f64.powi(half) * 2_f64.powi(i32::from(exponent) - half)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "a text is not UTF-8".to_owned())
}

fn date(value: &types::Date) -> Option<Date> {
    let types::Date::Ymd((year, month, day)) = value else { return None };
    Some(Date { year: *year, month: u8::try_from(*month).ok()?, day: u8::try_from(*day).ok()? })
}

/// What PostgreSQL reads as a day that never comes, or never was.
fn infinite(value: &types::Date) -> impl FnOnce() -> Value {
    let text = match value {
        types::Date::NegativeInfinity => "-infinity",
        _ => "infinity",
    };
    move || Value::Text(text.to_owned())
}

fn time(value: &types::Time) -> Result<Time, String> {
    let part = |number: u32| u8::try_from(number).map_err(|_| "a time is none".to_owned());
    let types::Time { hour, min, sec, micro } = *value;
    let nanosecond = micro.checked_mul(1_000).ok_or("a time is none")?;
    Ok(Time { hour: part(hour)?, minute: part(min)?, second: part(sec)?, nanosecond })
}

fn datetime(value: &types::Timestamp) -> Result<Datetime, String> {
    let date = date(&value.date).ok_or("an infinite moment cannot be passed")?;
    Ok(Datetime { date, time: time(&value.time)? })
}

/// Its timestamp is UTC; the offset says where it was noted.
fn moment(value: &types::TimestampTz) -> Result<Timestamp, String> {
    let (Offset::EasternHemisphereSecs(_) | Offset::WesternHemisphereSecs(_)) = value.offset;
    Ok(calendar::timestamp(&datetime(&value.timestamp)?))
}
