//! Follows one schedule: writes each step before it takes it.
//!
//! A write that fails, or that another host was faster with, changes nothing here: how far the schedule is is read again,
//! and what deliveries came to is taken in once more. So a tick is begun by whoever wrote that it begins, and is over once
//! that is written; whatever is lost in between is delivered again, under the same id.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use wicker_lattice::event::EventKind;
use wicker_lattice::store::record::{Schedule, Ticks};
use wicker_lattice::store::{Entry, StoreError, key};
use wicker_reconciler::schedule::{Clockwork, Delivery, Ended, Outcome, Turn, rfc3339};

use super::handler::deliver;
use crate::link::Router;
use crate::member::Member;

/// The longest sleep: the time of day may be set, and machines are suspended.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// How long one read or write may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause after one that failed, on average.
const PAUSE: Duration = Duration::from_millis(200);

/// One schedule, and what is under way of it.
pub(super) struct Keeper {
    member: Member,
    router: Arc<Router>,
    changes: watch::Receiver<Schedule>,
    schedule: Schedule,
    /// `None`: the record says what this version does not understand.
    clockwork: Option<Clockwork>,
    /// As it was read or written last; `None`: it is to be read.
    known: Option<Known>,
    deliveries: FuturesUnordered<BoxFuture<'static, (i64, Outcome)>>,
    /// The times of the ticks under way.
    running: BTreeSet<i64>,
    /// What is over, and not written yet.
    ended: Vec<(i64, Outcome)>,
}

/// What the lattice's state says; there may be nothing yet.
type Known = Option<Entry<Ticks>>;

/// Why nothing was written.
enum Failure {
    Store(StoreError),
    TooSlow,
}

impl Keeper {
    pub(super) fn new(
        member: Member,
        router: Arc<Router>,
        changes: watch::Receiver<Schedule>,
    ) -> Self {
        let schedule = changes.borrow().clone();
        let (known, deliveries) = (None, FuturesUnordered::new());
        let (running, ended) = (BTreeSet::new(), Vec::new());
        let mut keeper = Self {
            member,
            router,
            changes,
            schedule,
            clockwork: None,
            known,
            deliveries,
            running,
            ended,
        };
        keeper.understand();
        keeper
    }

    /// Takes in the schedule as it now is.
    fn understand(&mut self) {
        self.schedule = self.changes.borrow_and_update().clone();
        let Schedule { id, timing, since_ms, .. } = &self.schedule;
        let clockwork = Clockwork::new(timing, *since_ms);
        if let Err(error) = &clockwork {
            tracing::warn!("schedule {id} is not followed: {error}");
        }
        self.clockwork = clockwork.ok();
    }

    pub(super) async fn keep(mut self) -> Infallible {
        loop {
            let pause = match self.turn().await {
                Ok(pause) => pause,
                Err(failure) => {
                    failure.log(&self.schedule);
                    self.known = None;
                    PAUSE.mul_f64(0.5 + fastrand::f64())
                }
            };
            tokio::select! {
                // Cancel-safe, all.
                Some(ended) = self.deliveries.next() => self.ended.push(ended),
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.understand(),
                    Err(_) => std::future::pending().await,
                },
                () = sleep(pause) => {}
            }
        }
    }

    /// Takes in what is due and what is over, writes that, and begins what is to begin. How long there is nothing to do.
    async fn turn(&mut self) -> Result<Duration, Failure> {
        let Some(clockwork) = self.clockwork.clone() else { return Ok(SLEEP_MAX) };
        let known = match self.known.take() {
            Some(known) => known,
            None => read(&self.member, &self.schedule).await?,
        };
        let schedule = self.schedule.clone();
        let now_ms = self.member.clock.unix_millis();
        let turn = Turn { schedule: &schedule, clockwork: &clockwork, now_ms };
        let before = known.as_ref().map(|entry| &entry.record);
        let taken_in = turn.take_in(before);
        let skipped_before = before.map_or(0, |before| before.skipped).leading_zeros();
        let mut ticks = taken_in.ticks;
        let jitter = 0.5 + fastrand::f64();
        let end = |(at_ms, outcome): &(i64, Outcome)| {
            (*at_ms, turn.end(&mut ticks, *at_ms, outcome, jitter))
        };
        let over: Vec<(i64, Ended)> = self.ended.iter().map(end).collect();
        let mut running = self.running.clone();
        over.iter().for_each(|(at_ms, _)| _ = running.remove(at_ms));
        let begun = turn.begin(&mut ticks, &running);
        let known = if is_news(before, &ticks) {
            write(&self.member, ticks.clone(), known.as_ref()).await?
        } else {
            known
        };
        self.known = Some(known);
        self.ended.clear();
        self.running = running;
        // Of a schedule that is always late it is said when there are twice as many.
        let skipped = taken_in.skipped.filter(|_| ticks.skipped.leading_zeros() != skipped_before);
        self.tell(&over, skipped.as_deref());
        for delivery in begun {
            self.begin(delivery, &clockwork);
        }
        let wake_ms = turn.wake_ms(&ticks, &self.running).unwrap_or(i64::MAX);
        let until = u64::try_from(wake_ms.saturating_sub(now_ms)).unwrap_or_default();
        Ok(Duration::from_millis(until).min(SLEEP_MAX))
    }

    fn begin(&mut self, delivery: Delivery, clockwork: &Clockwork) {
        let (router, schedule) = (Arc::clone(&self.router), self.schedule.clone());
        let clockwork = clockwork.clone();
        self.running.insert(delivery.at_ms);
        self.deliveries.push(Box::pin(async move {
            (delivery.at_ms, deliver(router, schedule, clockwork, delivery).await)
        }));
    }

    fn tell(&self, over: &[(i64, Ended)], skipped: Option<&str>) {
        let Schedule { id, .. } = &self.schedule;
        for (at_ms, ended) in over {
            if let Ended::GivenUp(why) = ended {
                let message = format!("{id}: the tick of {} failed: {why}", rfc3339(*at_ms));
                tracing::warn!("{message}");
                self.member.tell(EventKind::TickFailed, Some(id), message);
            }
        }
        if let Some(why) = skipped {
            let message = format!("{id}: ticks were left out: {why}");
            tracing::warn!("{message}");
            self.member.tell(EventKind::TickSkipped, Some(id), message);
        }
    }
}

async fn read(member: &Member, schedule: &Schedule) -> Result<Known, Failure> {
    let key = key::ticks(&schedule.id);
    let read = timeout(STORE_TIMEOUT, member.store.get::<Ticks>(&key)).await;
    read.map_err(|_| Failure::TooSlow)?.map_err(Failure::Store)
}

async fn write(
    member: &Member,
    ticks: Ticks,
    known: Option<&Entry<Ticks>>,
) -> Result<Known, Failure> {
    let write = async {
        match known {
            Some(known) => member.store.update(&ticks, known.revision).await,
            None => member.store.create(&ticks).await,
        }
    };
    let written = timeout(STORE_TIMEOUT, write).await.map_err(|_| Failure::TooSlow)?;
    let revision = written.map_err(Failure::Store)?;
    Ok(Some(Entry { key: key::ticks(&ticks.schedule), record: ticks, revision }))
}

/// Whether there is more to write than that time has passed.
fn is_news(before: Option<&Ticks>, after: &Ticks) -> bool {
    let Some(before) = before else { return true };
    *before != Ticks { until_ms: before.until_ms, ..after.clone() }
}

impl Failure {
    fn log(&self, schedule: &Schedule) {
        let id = &schedule.id;
        match self {
            Self::Store(StoreError::Conflict { .. }) => {
                tracing::debug!("schedule {id} is followed elsewhere, too");
            }
            Self::Store(error) => {
                tracing::debug!(error = error as &dyn std::error::Error, "schedule {id} waits");
            }
            Self::TooSlow => tracing::debug!("schedule {id} waits for the lattice's state"),
        }
    }
}
