//! Who may run a singleton: one record, changed by compare-and-swap.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wicker_lattice::fence::Right as _;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Claim, Host};
use wicker_lattice::store::{Record as _, StoreError, key};

use super::{Guard, OwnLease};
use crate::member::Member;
use crate::state::Failure;

/// How long a start waits for the last host to let go: several leases, so that one that died is found lost meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long reading and writing may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until this host may run `id`.
///
/// # Errors
/// Another host has it still, or the lattice's state does not answer: try again later.
pub async fn claim(member: &Member, lease: &OwnLease, id: &ObjectId) -> Result<Guard, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let reason = match timeout(STORE_TIMEOUT, attempt(member, lease, id)).await {
            Ok(Ok(Ok(guard))) => return Ok(guard),
            Ok(Ok(Err(why))) => why,
            Ok(Err(error)) => crate::state::one_line(&error),
            Err(_) => format!("cannot claim {id}: the lattice's state does not answer"),
        };
        if Instant::now() >= until {
            return Err(Failure { reason, is_final: false });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Claims it unless it is another's; the inner error says why it cannot be claimed yet.
async fn attempt(
    member: &Member,
    lease: &OwnLease,
    id: &ObjectId,
) -> Result<Result<Guard, String>, StoreError> {
    // Taken first: a claim that is written after the term is over gives no right.
    let Some(tenure) = lease.current() else {
        return Ok(Err(format!("cannot claim {id}: this host's lease has run out")));
    };
    let (process, incarnation) = (member.process, member.incarnation);
    let own = Claim { object: id.clone(), process, incarnation, beat: tenure.beat() };
    let written = match member.store.get::<Claim>(&own.key()).await? {
        None => member.store.create(&own).await,
        Some(entry) => {
            let other = entry.record.process;
            if other != process {
                let holder = member.store.get::<Host>(&key::host(other)).await?;
                let holder = holder.map(|entry| entry.record);
                if entry.record.is_held(holder.as_ref()) {
                    let name = holder.map(|host| host.name).unwrap_or_default();
                    return Ok(Err(format!(
                        "{id} is a singleton, and host {name} ({other}) has it"
                    )));
                }
            }
            member.store.update(&own, entry.revision).await
        }
    };
    match written {
        Ok(token) => Ok(Ok(lease.guard(tenure.term(), token))),
        Err(StoreError::Conflict { .. }) => Ok(Err(format!("another host has claimed {id}"))),
        Err(error) => Err(error),
    }
}

/// Lets go of what nothing runs by any more. A later claim is left alone.
pub async fn release(member: &Member, id: &ObjectId, guard: &Guard) {
    let key = key::claim(id);
    let released = member.store.delete_at::<Claim>(&key, guard.token());
    // Where this fails, others wait until this host leaves or is lost.
    let _ = timeout(STORE_TIMEOUT, released).await;
}

/// Lets go of everything: this host runs nothing any more.
pub async fn release_all(member: &Member) {
    let released = async {
        for entry in member.store.list::<Claim>(&Claim::all()).await? {
            if entry.record.process == member.process {
                member.store.delete_at::<Claim>(&entry.key, entry.revision).await?;
            }
        }
        Ok::<(), StoreError>(())
    };
    let _ = timeout(STORE_TIMEOUT, released).await;
}
