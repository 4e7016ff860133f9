use std::collections::BTreeSet;

use jiff::Timestamp;
use wicker_lattice::store::record::{Missed, Overlap, Schedule, Ticks, Timing};

use super::{Clockwork, Delivery, Ended, Outcome, TimingError, Turn, rfc3339};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

fn cron(expression: &str, zone: &str) -> Timing {
    Timing::Cron { expression: expression.to_owned(), zone: zone.to_owned() }
}

fn clockwork(expression: &str, zone: &str) -> Clockwork {
    Clockwork::new(&cron(expression, zone), 0).unwrap()
}

/// Everything that is due in a time, asked forwards.
fn between(clockwork: &Clockwork, from: &str, to: &str) -> Vec<String> {
    let (mut at, to) = (ms(from), ms(to));
    let mut all = Vec::new();
    while let Some(next) = clockwork.next_after(at).filter(|next| *next <= to) {
        all.push(clockwork.print(next));
        at = next;
    }
    all
}

/// The same, asked backwards.
fn backwards(clockwork: &Clockwork, from: &str, to: &str) -> Vec<String> {
    let (from, mut at) = (ms(from), ms(to));
    let mut all = Vec::new();
    while let Some(last) = clockwork.last_until(at).filter(|last| *last > from) {
        all.push(clockwork.print(last));
        at = last - 1;
    }
    all.reverse();
    all
}

fn check(expression: &str, zone: &str, (from, to): (&str, &str), expect: &[&str]) {
    let clockwork = clockwork(expression, zone);
    assert_eq!(between(&clockwork, from, to), expect, "{expression}");
    assert_eq!(backwards(&clockwork, from, to), expect, "{expression}, backwards");
}

const SPRING: (&str, &str) = ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
const AUTUMN: (&str, &str) = ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");

#[test]
fn expressions_follow_the_clocks_of_their_zone() {
    let expect = ["2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"];
    check("0 3 * * *", "Europe/Berlin", SPRING, &expect);
    let expect = ["2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"];
    check("0 3 * * *", "Europe/Berlin", AUTUMN, &expect);
    let expect = ["2026-03-29T03:00:00+00:00", "2026-03-30T03:00:00+00:00"];
    check("0 3 * * *", "UTC", SPRING, &expect);
}

#[test]
fn fixed_time_in_the_gap_is_due_right_after_it() {
    let expect = ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
    check("30 2 * * *", "Europe/Berlin", SPRING, &expect);
}

#[test]
fn fixed_time_that_comes_twice_is_due_once() {
    let expect = ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"];
    check("30 2 * * *", "Europe/Berlin", AUTUMN, &expect);
}

#[test]
fn repeated_times_leave_the_gap_out_and_come_twice_in_the_overlap() {
    let gap = ("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    let expect = [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ];
    check("*/30 * * * *", "Europe/Berlin", gap, &expect);
    let overlap = ("2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z");
    let expect = [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ];
    check("*/30 * * * *", "Europe/Berlin", overlap, &expect);
}

#[test]
fn forwards_and_backwards_agree_over_a_year_of_every_kind_of_zone() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
        for expression in ["30 2 * * *", "0 */6 * * *", "15 10 L * *", "0 0 * * MON#1"] {
            let clockwork = clockwork(expression, zone);
            let (from, to) = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
            let forwards = between(&clockwork, from, to);
            assert_eq!(forwards, backwards(&clockwork, from, to), "{expression} in {zone}");
            assert!(forwards.len() >= 12, "{expression} in {zone}");
        }
    }
}

#[test]
fn intervals_count_from_the_beginning_and_once_is_once() {
    let every = Clockwork::new(&Timing::Every(90_000), 1000).unwrap();
    assert_eq!(every.next_after(0), Some(91_000));
    assert_eq!(every.next_after(1000), Some(91_000));
    assert_eq!(every.next_after(91_000), Some(181_000));
    assert_eq!((every.last_until(90_999), every.last_until(91_000)), (None, Some(91_000)));
    let once = Clockwork::new(&Timing::Once("2027-01-01T00:00:00+01:00".to_owned()), 0).unwrap();
    let at = ms("2026-12-31T23:00:00Z");
    assert_eq!((once.next_after(at - 1), once.next_after(at)), (Some(at), None));
    assert_eq!((once.last_until(at - 1), once.last_until(at)), (None, Some(at)));
    assert_eq!(once.print(at), "2026-12-31T23:00:00Z");
}

#[test]
fn what_is_no_time_is_told_apart() {
    let error = |timing| Clockwork::new(&timing, 0).unwrap_err();
    assert!(matches!(error(cron("0 3 * *", "UTC")), TimingError::Expression(..)));
    assert!(matches!(error(cron("61 3 * * *", "UTC")), TimingError::Expression(..)));
    assert!(matches!(error(cron("0 3 * * *", "Europe/Bern")), TimingError::Zone(_)));
    assert!(matches!(error(cron("0 0 30 2 *", "UTC")), TimingError::Never(_)));
    assert!(matches!(error(Timing::Once("tomorrow".to_owned())), TimingError::Time(_)));
}

fn hourly() -> Schedule {
    Schedule {
        id: "default/shop/hourly".parse().unwrap(),
        target: "default/shop/report".parse().unwrap(),
        timing: cron("0 * * * *", "UTC"),
        since_ms: 0,
        missed: Missed::Once,
        overlap: Overlap::Skip,
        attempts: 3,
        backoff_ms: 1000,
        timeout_ms: 10_000,
    }
}

/// A schedule that is looked at now and then, as whoever acts does it.
struct Followed {
    schedule: Schedule,
    ticks: Option<Ticks>,
    running: BTreeSet<i64>,
}

impl Followed {
    fn new(schedule: Schedule) -> Self {
        Self { schedule, ticks: None, running: BTreeSet::new() }
    }

    fn turn<R>(&self, now_ms: i64, f: impl FnOnce(Turn<'_>) -> R) -> R {
        let clockwork = Clockwork::new(&self.schedule.timing, self.schedule.since_ms).unwrap();
        f(Turn { schedule: &self.schedule, clockwork: &clockwork, now_ms })
    }

    /// What begins at this time: the hours of the ticks, and which delivery of each.
    fn look(&mut self, now_ms: i64) -> Vec<(i64, u32)> {
        let (ticks, begun) = self.turn(now_ms, |turn| {
            let mut ticks = turn.take_in(self.ticks.as_ref()).ticks;
            let begun = turn.begin(&mut ticks, &self.running);
            (ticks, begun)
        });
        self.ticks = Some(ticks);
        self.running.extend(begun.iter().map(|delivery| delivery.at_ms));
        begun.iter().map(|Delivery { at_ms, attempt }| (at_ms / HOUR, *attempt)).collect()
    }

    fn end(&mut self, now_ms: i64, hour: i64, outcome: &Outcome) -> Ended {
        let mut ticks = self.ticks.clone().unwrap();
        self.running.remove(&(hour * HOUR));
        let ended = self.turn(now_ms, |turn| turn.end(&mut ticks, hour * HOUR, outcome, 1.0));
        self.ticks = Some(ticks);
        ended
    }

    /// Whoever acted is gone; another one reads the record.
    fn interrupted(&mut self) {
        self.running.clear();
    }

    fn skipped(&self) -> u64 {
        self.ticks.as_ref().unwrap().skipped
    }
}

fn failed() -> Outcome {
    Outcome::Failed("no".to_owned())
}

#[test]
fn each_tick_is_begun_once_and_over_when_its_handler_says_so() {
    let mut hourly = Followed::new(hourly());
    assert_eq!(hourly.look(10 * MINUTE), []);
    assert_eq!(hourly.look(HOUR), [(1, 1)]);
    assert_eq!(hourly.look(HOUR + 1), []);
    assert_eq!(hourly.end(HOUR + 2, 1, &Outcome::Done), Ended::Done);
    assert_eq!(hourly.look(HOUR + 3), []);
    let ticks = hourly.ticks.clone().unwrap();
    assert_eq!((ticks.done, ticks.pending.len(), ticks.next_ms), (1, 0, Some(2 * HOUR)));
    assert_eq!(hourly.look(2 * HOUR), [(2, 1)]);
}

#[test]
fn time_that_goes_back_repeats_nothing() {
    let mut hourly = Followed::new(hourly());
    assert_eq!(hourly.look(HOUR), [(1, 1)]);
    hourly.end(HOUR, 1, &Outcome::Done);
    assert_eq!(hourly.look(HOUR - MINUTE), []);
    assert_eq!(hourly.look(HOUR), []);
}

#[test]
fn interrupted_delivery_is_repeated_as_the_same_tick_however_often() {
    let mut hourly = Followed::new(hourly());
    assert_eq!(hourly.look(HOUR), [(1, 1)]);
    for attempt in 2..10 {
        hourly.interrupted();
        assert_eq!(hourly.look(HOUR + MINUTE), [(1, attempt)]);
    }
    // One whose end comes twice, of two who took it for theirs, is over once.
    assert_eq!(hourly.end(HOUR + MINUTE, 1, &Outcome::Done), Ended::Done);
    assert_eq!(hourly.end(HOUR + MINUTE, 1, &failed()), Ended::Unknown);
}

#[test]
fn failures_are_bounded_and_their_pauses_double() {
    let mut hourly = Followed::new(hourly());
    hourly.look(HOUR);
    assert_eq!(hourly.end(HOUR, 1, &failed()), Ended::Again);
    assert_eq!(hourly.look(HOUR + 999), []);
    assert_eq!(hourly.look(HOUR + 1000), [(1, 2)]);
    hourly.end(HOUR + 1000, 1, &failed());
    assert_eq!(hourly.look(HOUR + 2999), []);
    assert_eq!(hourly.look(HOUR + 3000), [(1, 3)]);
    assert_eq!(hourly.end(HOUR + 3000, 1, &failed()), Ended::GivenUp("no".to_owned()));
    let ticks = hourly.ticks.unwrap();
    assert_eq!((ticks.failed, ticks.pending.len()), (1, 0));
    assert_eq!(ticks.last.unwrap().error.as_deref(), Some("no"));
}

#[test]
fn tick_whose_target_is_away_waits_for_it_without_end() {
    let mut hourly = Followed::new(hourly());
    let away = Outcome::NotCalled("away".to_owned());
    let mut now = HOUR;
    for _ in 0..50 {
        assert_eq!(hourly.look(now), [(1, 1)]);
        assert_eq!(hourly.end(now, 1, &away), Ended::Again);
        now += 5 * MINUTE;
    }
    assert_eq!(hourly.look(now), [(1, 1)]);
    assert_eq!(hourly.end(now, 1, &Outcome::Done), Ended::Done);
}

#[test]
fn missed_ticks_follow_the_policy() {
    let check = |missed, expect: &[i64]| {
        let mut hourly = Followed::new(Schedule { missed, ..hourly() });
        hourly.look(HOUR - MINUTE);
        let mut begun = Vec::new();
        while let [(hour, 1)] = hourly.look(5 * HOUR + MINUTE)[..] {
            hourly.end(5 * HOUR + MINUTE, hour, &Outcome::Done);
            begun.push(hour);
        }
        assert_eq!(begun, expect, "{missed:?}");
    };
    check(Missed::Skip, &[]);
    check(Missed::Once, &[5]);
    check(Missed::All, &[1, 2, 3, 4, 5]);
}

#[test]
fn what_is_a_little_late_was_not_missed() {
    let mut hourly = Followed::new(Schedule { missed: Missed::Skip, ..hourly() });
    hourly.look(HOUR - MINUTE);
    assert_eq!(hourly.look(HOUR + 5000), [(1, 1)]);
}

#[test]
fn of_a_year_of_missed_ticks_the_latest_hundred_are_made_up_for() {
    let mut hourly = Followed::new(Schedule { missed: Missed::All, ..hourly() });
    hourly.look(HOUR);
    hourly.end(HOUR, 1, &Outcome::Done);
    let year = 365 * 24;
    assert_eq!(hourly.look(year * HOUR + MINUTE), [(year - 99, 1)]);
    assert_eq!(hourly.ticks.as_ref().unwrap().pending.len(), 100);
}

#[test]
fn ticks_overlap_as_the_policy_says() {
    let begun = |overlap| {
        let mut hourly = Followed::new(Schedule { overlap, ..hourly() });
        let mut begun = Vec::new();
        for hour in 1..4 {
            begun.extend(hourly.look(hour * HOUR));
        }
        hourly.end(3 * HOUR + 1, 1, &Outcome::Done);
        begun.extend(hourly.look(3 * HOUR + 2));
        (begun.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), hourly.skipped())
    };
    assert_eq!(begun(Overlap::Skip), (vec![1], 2));
    assert_eq!(begun(Overlap::Wait), (vec![1, 2], 0));
    assert_eq!(begun(Overlap::Allow), (vec![1, 2, 3], 0));
}

#[test]
fn schedule_is_due_at_no_time_before_it_was_made_or_changed() {
    let mut hourly = Followed::new(Schedule { since_ms: 3 * HOUR + 1, ..hourly() });
    assert_eq!(hourly.look(3 * HOUR + MINUTE), []);
    assert_eq!(hourly.look(4 * HOUR), [(4, 1)]);
    // Changed, while a tick is under way: that one goes on, and no time in between is made up for.
    hourly.schedule.timing = cron("30 * * * *", "UTC");
    hourly.schedule.since_ms = 6 * HOUR;
    assert_eq!(hourly.look(6 * HOUR + MINUTE), []);
    assert_eq!(hourly.end(6 * HOUR + MINUTE, 4, &Outcome::Done), Ended::Done);
    assert_eq!(hourly.look(6 * HOUR + 30 * MINUTE).len(), 1);
    assert_eq!(hourly.ticks.unwrap().done, 1);
}

#[test]
fn whoever_acts_sleeps_until_there_is_something_to_do() {
    let mut hourly = Followed::new(hourly());
    hourly.look(HOUR);
    let wake = |hourly: &Followed| {
        let ticks = hourly.ticks.clone().unwrap();
        hourly.turn(HOUR, |turn| turn.wake_ms(&ticks, &hourly.running)).map(rfc3339)
    };
    assert_eq!(wake(&hourly), Some("1970-01-01T02:00:00Z".to_owned()));
    hourly.end(HOUR, 1, &failed());
    assert_eq!(wake(&hourly), Some("1970-01-01T01:00:01Z".to_owned()));
}
