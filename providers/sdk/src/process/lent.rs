//! The right of a singleton in a process of its own: lent by the host that launched it, a while at a time.
//!
//! The host has the claim and the lease. This process asks it again and again how long it still may, and counts from before
//! it asked, by its own clock: whichever of the two freezes, dies or is cut off, it has let go before anybody else may begin.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use wicker_lattice::fence::Right;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::nats::Nats;
use wicker_process::Tasks;

/// The question that a singleton's process asks its host: `wicker.<lattice>.q.<host>.hold`. The answer: for how many
/// milliseconds it may go on.
pub const HOLD: &str = "hold";

/// How long the host may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// From one answer to the next question: several times in what a host lends at least.
const EVERY: Duration = Duration::from_millis(250);

/// Whether this claim is still the host's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hold {
    /// What runs by it.
    pub object: ObjectId,
    /// Its fencing token.
    pub token: u64,
}

/// A right that ends by itself unless the host lends it anew.
#[derive(Debug, Clone)]
pub(crate) struct Lent {
    token: u64,
    until: Arc<ArcSwap<Instant>>,
}

impl Lent {
    /// Not held before the host has said so.
    pub(crate) fn new(token: u64) -> Self {
        Self { token, until: Arc::new(ArcSwap::from_pointee(Instant::now())) }
    }

    /// Asks the host until `tasks` are asked to stop.
    pub(crate) async fn keep(
        self,
        (nats, lattice, host): (Nats, String, ProcessId),
        object: ObjectId,
        tasks: Tasks,
    ) -> Result<(), Infallible> {
        let hold = Hold { object, token: self.token };
        loop {
            let asked = Instant::now();
            let answer = nats.query::<_, u64>((&lattice, host), HOLD, &hold, ANSWER_TIMEOUT).await;
            if let Ok(milliseconds) = answer {
                self.until.store(Arc::new(asked + Duration::from_millis(milliseconds)));
            }
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                () = sleep(EVERY) => {}
            }
        }
    }
}

impl Right for Lent {
    fn holds(&self) -> bool {
        Instant::now() < **self.until.load()
    }

    fn token(&self) -> u64 {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn right_ends_when_it_is_not_lent_anew() {
        let lent = Lent::new(7);
        assert!(!lent.holds(), "not before the host has said so");
        lent.until.store(Arc::new(Instant::now() + Duration::from_secs(2)));
        assert!(lent.holds());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!lent.holds());
    }
}
