//! Says every second that this host lives, and notices when it cannot.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use wicker_lattice::nats::ConnectionState;
use wicker_lattice::store::lease::{LEASE, RENEW_EVERY};
use wicker_lattice::store::record::Host;
use wicker_lattice::store::{StoreError, key};

use crate::member::Member;

/// This host's lease.
#[derive(Debug, Clone)]
pub struct Lease {
    member: Member,
    /// `None` once it is given up.
    host: Arc<Mutex<Option<Host>>>,
}

impl Lease {
    /// Takes the lease, so that the host is seen when this returns, and renews it from then on.
    ///
    /// # Errors
    /// The lattice's state cannot be written.
    pub async fn take(member: &Member, host: Host) -> Result<Self, StoreError> {
        member.store.put(&host).await?;
        let lease = Self { member: member.clone(), host: Arc::new(Mutex::new(Some(host))) };
        member.tasks.spawn("lease", lease.clone().renew());
        Ok(lease)
    }

    /// Changes what the lease says, and writes it at once.
    pub async fn change(&self, change: impl FnOnce(&mut Host)) {
        {
            let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(host) = host.as_mut() else { return };
            change(host);
        }
        self.write().await;
    }

    /// Gives the lease up: the host is gone for everyone at once.
    pub async fn give_up(&self) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let key = key::host(self.member.process);
        let _ = timeout(RENEW_EVERY, self.member.store.delete::<Host>(&key)).await;
    }

    async fn renew(self) -> Result<(), Infallible> {
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_for = Duration::ZERO;
        loop {
            tokio::select! {
                // Cancel-safe, both.
                () = self.member.tasks.stopping() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let is_written = self.write().await;
            if self.is_given_up() {
                return Ok(());
            }
            if is_written {
                self.note_success(silent_for);
                silent_for = Duration::ZERO;
            } else {
                self.note_failure(silent_for);
                silent_for += RENEW_EVERY;
            }
        }
    }

    fn is_given_up(&self) -> bool {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Writes the lease once; whether that worked.
    async fn write(&self) -> bool {
        let host = {
            let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(host) = host.as_mut() else { return true };
            host.beat += 1;
            host.clone()
        };
        matches!(timeout(RENEW_EVERY, self.member.store.put(&host)).await, Ok(Ok(_)))
    }

    /// Says once that the lattice's state is back.
    fn note_success(&self, silent_for: Duration) {
        if silent_for >= LEASE {
            tracing::info!("the lattice's state is back");
        }
    }

    /// Says once that the lease has run out.
    fn note_failure(&self, silent_for: Duration) {
        if silent_for < LEASE && silent_for + RENEW_EVERY >= LEASE {
            let connection = *self.member.nats.state().borrow();
            let what = match connection {
                ConnectionState::Connected => "JetStream does not answer",
                ConnectionState::Disconnected => "NATS does not answer",
            };
            tracing::warn!("degraded: {what}; serving on with what is known, changes wait");
        }
    }
}
