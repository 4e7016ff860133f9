//! Days of the Gregorian calendar as numbers, and times of day as fractions of one: what databases store.

use crate::types::{Date, Datetime, Time, Timestamp};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Days from 1970-01-01 to `date`.
///
/// Years are counted from March, so that the day that some years have more is the last one, in eras of 400 years.
#[must_use]
pub fn days(date: &Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The day that is so many days after 1970-01-01; `None` past the years that a [`Date`] can hold.
#[must_use]
pub fn date(days: i64) -> Option<Date> {
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(Date {
        year: year.try_into().ok()?,
        month: month.try_into().ok()?,
        day: day.try_into().ok()?,
    })
}

/// The time of day so many nanoseconds after midnight; `None` from 24:00 on.
#[must_use]
pub fn time(nanoseconds: i64) -> Option<Time> {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    let nanosecond = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?;
    let part = |value: i64| u8::try_from(value).ok();
    let (hour, minute, second) =
        (part(seconds / 3_600)?, part(seconds / 60 % 60)?, part(seconds % 60)?);
    (0..DAY).contains(&seconds).then_some(Time { hour, minute, second, nanosecond })
}

/// Seconds since midnight.
#[must_use]
pub fn seconds(time: &Time) -> i64 {
    i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second)
}

/// The day and time of day, in UTC, of a moment; `None` past the years that a [`Date`] can hold.
#[must_use]
pub fn datetime(moment: &Timestamp) -> Option<Datetime> {
    let date = date(moment.seconds.div_euclid(DAY))?;
    let time =
        time(moment.seconds.rem_euclid(DAY) * 1_000_000_000 + i64::from(moment.nanoseconds))?;
    Some(Datetime { date, time })
}

/// The moment at which it is so in UTC.
#[must_use]
pub fn timestamp(datetime: &Datetime) -> Timestamp {
    let seconds = days(&datetime.date) * DAY + seconds(&datetime.time);
    Timestamp { seconds, nanoseconds: datetime.time.nanosecond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_has_its_number() {
        let check = |year, month, day, number| {
            assert_eq!(days(&Date { year, month, day }), number);
            assert_eq!(date(number), Some(Date { year, month, day }));
        };
        check(1970, 1, 1, 0);
        check(2000, 2, 29, 11_016);
        check(2000, 3, 1, 11_017);
        check(1969, 12, 31, -1);
        check(1, 1, 1, -719_162);
        check(-1, 2, 28, -719_835);
        for number in (-2_000_000..2_000_000).step_by(97) {
            assert_eq!(date(number).map(|date| days(&date)), Some(number));
        }
    }

    #[test]
    fn moment_before_the_epoch_has_its_day() {
        let moment = Timestamp { seconds: -1, nanoseconds: 5 };
        let datetime = datetime(&moment).unwrap();
        assert_eq!((datetime.date.day, datetime.time.second), (31, 59));
        assert_eq!(timestamp(&datetime), moment);
    }
}
