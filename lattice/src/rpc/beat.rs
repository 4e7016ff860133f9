//! Signs of life: accepts and beats for the calls served here, pulses for the streams written here, credit said again
//! for the streams read here; and the end of what has none from the other side.
//!
//! One loop for all of it, on the thread of the calls' connection, so that no guest can delay it. It rests while there
//! is nothing to watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Subject;

use super::clock::{ACCEPT_AFTER, BEAT_EVERY, SILENCE};
use super::keys::StreamKey;
use super::outgoing::{Ending, Outgoing};
use super::shared::Shared;
use crate::frame::Frame;

/// Fine enough for an accept to be about on time.
const TICK: Duration = Duration::from_millis(25);

/// Idle ticks until the loop rests: calls in quick succession must not wake it each time.
const REST_AFTER_TICKS: u32 = 40;

/// A tick that is this late says that the whole process was stopped for a while, not that everybody else was.
const FROZEN_MS: u64 = 1_000;

impl Shared {
    pub(super) async fn beat(self: Arc<Self>) {
        let stop = self.stop.clone();
        let beating = async {
            let mut idle_ticks = 0;
            let mut last_ms = self.clock.now_ms();
            loop {
                tokio::time::sleep(TICK).await;
                let now = self.clock.now_ms();
                if now.saturating_sub(last_ms) > FROZEN_MS {
                    self.forgive(now);
                }
                last_ms = now;
                idle_ticks = if self.tick(now) { 0 } else { idle_ticks + 1 };
                if idle_ticks >= REST_AFTER_TICKS {
                    self.rest().await;
                    last_ms = self.clock.now_ms();
                    idle_ticks = 0;
                }
            }
        };
        stop.run_until_cancelled(beating).await;
    }

    /// Waits until there is something to watch.
    async fn rest(&self) {
        self.is_ticker_parked.store(true, Ordering::SeqCst);
        if self.is_idle() {
            self.ticker.notified().await;
        }
        self.is_ticker_parked.store(false, Ordering::SeqCst);
    }

    /// Beats for everything once; `false` if there was nothing.
    fn tick(self: &Arc<Self>, now: u64) -> bool {
        self.waiting.each(|_, waiting| waiting.patience.tick(now));
        self.running.each(|_, running| running.patience.tick(now));
        self.beat_for_calls(now);
        self.beat_for_streams(now);
        !self.is_idle()
    }

    fn is_idle(&self) -> bool {
        let calls = self.waiting.len() + self.running.len();
        calls + self.incoming.len() + self.outgoing.len() == 0
    }

    fn beat_for_calls(self: &Arc<Self>, now: u64) {
        for (key, running) in &self.running.to_vec() {
            let load = self.load();
            let last = running.beat_ms.load(Ordering::Relaxed);
            let frame = if last == 0 && is_due(running.patience.since_ms, now, ACCEPT_AFTER) {
                Frame::Accept { load }
            } else if last != 0 && is_due(last, now, BEAT_EVERY) {
                Frame::Beat { load }
            } else {
                continue;
            };
            running.beat_ms.store(now, Ordering::Relaxed);
            self.tell_process(*key, &frame);
        }
    }

    fn beat_for_streams(self: &Arc<Self>, now: u64) {
        for (key, incoming) in &self.incoming.to_vec() {
            if is_due(incoming.heard_ms.load(Ordering::Relaxed), now, SILENCE) {
                incoming.lose("its writer fell silent");
                self.incoming.remove(key);
            } else if is_turn(&incoming.said_ms, now)
                && let Some(limit) = incoming.credit()
            {
                let frame = Frame::Credit { stream: key.number, limit };
                self.tell_process(key.attempt(), &frame);
            }
        }
        for (key, outgoing) in &self.outgoing.to_vec() {
            if is_due(outgoing.heard_ms.load(Ordering::Relaxed), now, SILENCE) {
                outgoing.end(Ending::Lost);
            } else if is_turn(&outgoing.said_ms, now) {
                self.pulse(key, outgoing);
            }
        }
    }

    /// On the bulk connection, behind the chunks that it speaks of.
    fn pulse(self: &Arc<Self>, key: &StreamKey, outgoing: &Outgoing) {
        let frame = Frame::Pulse { stream: key.number, sequence: outgoing.sequence() };
        let subject = Subject::from(self.peer(key.peer).chunk_subject(key.attempt));
        self.send(self.nats.bulk(), subject, frame.encode());
    }

    /// This process stood still: nobody else is to blame for the silence.
    fn forgive(&self, now: u64) {
        for (_, incoming) in self.incoming.to_vec() {
            incoming.hear(now);
        }
        for (_, outgoing) in self.outgoing.to_vec() {
            outgoing.hear(now);
        }
    }
}

fn is_due(since: u64, now: u64, after: Duration) -> bool {
    u128::from(now.saturating_sub(since)) >= after.as_millis()
}

/// Whether it is time to say something again; then it counts as said.
fn is_turn(said_ms: &AtomicU64, now: u64) -> bool {
    let is_turn = is_due(said_ms.load(Ordering::Relaxed), now, BEAT_EVERY);
    if is_turn {
        said_ms.store(now, Ordering::Relaxed);
    }
    is_turn
}
