//! Keeps the lattice as its records say: runs in every host, and one of them acts.
//!
//! `post` says whose turn it is. Whoever has it finds the hosts and providers that died without a word (`lost`), feeds
//! the pure [`Reconciler`] with every record (`follow`) and carries out what it decides (`act`). Any failure drops
//! everything that was known and begins anew: what counts is in the records. Two that act at once do no harm, because
//! every write is checked by revision.

mod act;
mod follow;
mod lost;
mod outage;
mod post;

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use wicker_lattice::store::lease::RENEW_EVERY;
use wicker_reconciler::reconcile::Reconciler;

use crate::member::Member;
use crate::schedule::Schedules;
use act::Actor;
use follow::Feed;
use lost::Round;
use outage::Outages;

/// How long changes are gathered before it acts on them: those of one deployment come together.
const GATHER: Duration = Duration::from_millis(3);

/// How often everything is looked at again, in case something was missed.
const RESYNC: Duration = Duration::from_secs(30);

/// The pause after a write that failed, on average.
const PAUSE: Duration = Duration::from_millis(200);

/// Starts the task. Whoever acts also follows the schedules.
pub fn start(member: &Member, schedules: Schedules) {
    member.tasks.spawn("reconciler", take_turns(member.clone(), schedules));
}

/// Waits for the post, acts while it holds it, waits again; until the host's tasks are asked to stop.
async fn take_turns(member: Member, mut schedules: Schedules) -> Result<(), Infallible> {
    let tasks = member.tasks.clone();
    let mut outages = Outages::new(&member);
    loop {
        let mut post = tokio::select! {
            // Cancel-safe: a post that was claimed a moment ago is free again after a lease.
            () = tasks.stopping() => return Ok(()),
            post = post::wait_for_post(&member, &mut outages) => post,
        };
        tracing::debug!("this host's reconciler acts");
        tokio::select! {
            // Not cancel-safe, and need not be: whoever comes next does what is left.
            () = tasks.stopping() => {
                post.resign(&member).await;
                return Ok(());
            }
            () = Round::new(&member).serve(&mut post, &mut outages) => tracing::debug!("another host's reconciler acts"),
            never = reconcile(&member) => match never {},
            // What is under way is broken off; whoever comes next delivers it again.
            never = schedules.follow() => match never {},
        }
    }
}

/// Acts; begins anew after each failure.
async fn reconcile(member: &Member) -> Infallible {
    loop {
        let Err(error) = Box::pin(act_on_changes(member)).await;
        tracing::debug!(error = &error as &dyn std::error::Error, "reconciling begins anew");
        sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
    }
}

/// Acts until a write fails.
async fn act_on_changes(member: &Member) -> Result<Infallible, act::ActError> {
    let mut feed = Feed::new(&member.store);
    let mut reconciler = Reconciler::default();
    let mut actor = Actor::new(member.clone());
    let mut resync = interval(RESYNC);
    resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut measure = interval(RENEW_EVERY);
    measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Cancel-safe, all.
            seen = feed.next() => seen.tell(&mut reconciler),
            _ = resync.tick() => reconciler.touch_all(),
            _ = measure.tick() => reconciler.measure(),
        }
        let gathered = Instant::now() + GATHER;
        while let Ok(seen) = timeout_at(gathered, feed.next()).await {
            seen.tell(&mut reconciler);
        }
        if feed.is_current() {
            actor.carry_out(&mut reconciler).await?;
        }
    }
}
