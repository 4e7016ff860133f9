//! Days, times and moments as ISO 8601 text, as databases write and read it.

use std::fmt::Write as _;

use crate::calendar;
use crate::types::{Date, Datetime, Time, Timestamp};

/// `2024-02-29`.
#[must_use]
pub fn date(date: &Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `13:05:09.25`: as many digits of the second as there are.
#[must_use]
pub fn time(time: &Time) -> String {
    let mut text = format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    if time.nanosecond > 0 {
        // Writing into a string cannot fail.
        let _ = write!(text, ".{:09}", time.nanosecond);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// `2024-02-29 13:05:09.25`.
#[must_use]
pub fn datetime(datetime: &Datetime) -> String {
    format!("{} {}", date(&datetime.date), time(&datetime.time))
}

/// `2024-02-29 13:05:09.25Z`; `None` past the years that a [`Date`] can hold.
#[must_use]
pub fn timestamp(moment: &Timestamp) -> Option<String> {
    calendar::datetime(moment).map(|at| format!("{}Z", datetime(&at)))
}

/// Reads what [`date`] writes.
#[must_use]
pub fn read_date(text: &str) -> Option<Date> {
    let (is_before, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = digits.splitn(3, '-');
    let year: i32 = number(parts.next()?, 4..=9)?;
    let date = Date {
        year: if is_before { -year } else { year },
        month: number(parts.next()?, 2..=2)?,
        day: number(parts.next()?, 2..=2)?,
    };
    (calendar::date(calendar::days(&date)).as_ref() == Some(&date)).then_some(date)
}

/// Reads what [`time`] writes, with or without seconds.
#[must_use]
pub fn read_time(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let (hour, minute) = (number(parts.next()?, 2..=2)?, number(parts.next()?, 2..=2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2..=2))?;
    let nanosecond = match fraction.len() {
        0 => 0,
        digits @ 1..=9 => {
            number::<u32>(fraction, 1..=9)? * 10_u32.pow(9 - u32::try_from(digits).ok()?)
        }
        _ => return None,
    };
    let is_valid = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    is_valid.then_some(Time { hour, minute, second, nanosecond })
}

/// Reads what [`datetime`] writes, with a space or a `T`.
#[must_use]
pub fn read_datetime(text: &str) -> Option<Datetime> {
    let (date, time) = text.split_once([' ', 'T'])?;
    Some(Datetime { date: read_date(date)?, time: read_time(time)? })
}

/// Reads a day and a time with a zone: `Z`, `+02`, `+02:00`. Without one it is UTC.
#[must_use]
pub fn read_timestamp(text: &str) -> Option<Timestamp> {
    let (local, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => split_offset(text)?,
    };
    let moment = calendar::timestamp(&read_datetime(local)?);
    Some(Timestamp { seconds: moment.seconds - offset, ..moment })
}

/// The text before a zone, and seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let Some(at) =
        text.rfind(['+', '-']).filter(|at| text.get(..*at).is_some_and(|l| l.contains(':')))
    else {
        return Some((text, 0));
    };
    let (local, zone) = text.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let zone = zone.get(1..)?;
    let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
    let (hours, minutes): (i64, i64) = (number(hours, 2..=2)?, number(minutes, 2..=2)?);
    Some((local, sign * (hours * 3_600 + minutes * 60)))
}

fn number<T: std::str::FromStr>(digits: &str, len: std::ops::RangeInclusive<usize>) -> Option<T> {
    let is_number = len.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (day, at) = (
            Date { year: 2024, month: 2, day: 29 },
            Time { hour: 13, minute: 5, second: 9, nanosecond: 250_000_000 },
        );
        assert_eq!((date(&day), time(&at)), ("2024-02-29".into(), "13:05:09.25".into()));
        assert_eq!(
            (read_date("2024-02-29"), read_time("13:05:09.25")),
            (Some(day.clone()), Some(at.clone()))
        );
        let both = Datetime { date: day, time: at };
        assert_eq!(read_datetime("2024-02-29T13:05:09.25").as_ref(), Some(&both));
        let moment = calendar::timestamp(&both);
        assert_eq!(timestamp(&moment).unwrap(), "2024-02-29 13:05:09.25Z");
        for text in
            ["2024-02-29 13:05:09.25Z", "2024-02-29 15:05:09.25+02", "2024-02-29 11:35:09.25-01:30"]
        {
            assert_eq!(read_timestamp(text).as_ref(), Some(&moment), "{text}");
        }
        assert_eq!(read_timestamp("2024-02-29 13:05:09.25"), Some(moment));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["2023-02-29", "2024-13-01", "24-1-1", "x", "", "2024-02-30", "2024-02-2x"] {
            assert_eq!(read_date(text), None, "{text}");
        }
        for text in ["24:00:00", "1:00", "12:60:00", "12:00:00.1234567891", "12:00:00:00"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
