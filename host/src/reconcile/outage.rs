//! When the connection to NATS was away last. While it is, and for a time after it is back, silence says nothing about
//! anybody: others may still be on their way back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wicker_lattice::nats::ConnectionState;

use crate::member::Member;

/// How long others may take to return to a NATS server that was away: clients pause before they try again.
const RETURN: Duration = Duration::from_secs(8);

/// Follows the connection over all turns of this host.
#[derive(Debug)]
pub(super) struct Outages {
    state: watch::Receiver<ConnectionState>,
    quiet_until: Instant,
}

impl Outages {
    pub(super) fn new(member: &Member) -> Self {
        Self { state: member.nats.state(), quiet_until: Instant::now() }
    }

    /// Resolves when the connection went away or came back. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending().await
        }
        if *self.state.borrow_and_update() == ConnectionState::Connected {
            self.quiet_until = Instant::now() + RETURN;
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.state.borrow() == ConnectionState::Connected
    }

    /// From when on silence counts: now, or later where NATS has only just come back.
    pub(super) fn counts_from(&self) -> Instant {
        self.quiet_until.max(Instant::now())
    }
}
