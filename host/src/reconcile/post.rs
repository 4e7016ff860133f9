//! Whose turn it is to act: one record, renewed like a lease, and anybody's once it was silent for as long.

use std::time::Duration;

use tokio::time::{timeout, timeout_at};
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::lease::{LEASE, RENEW_EVERY};
use wicker_lattice::store::record::Leader;
use wicker_lattice::store::{Change, Entry, StoreError, key};

use super::outage::Outages;
use crate::member::Member;

/// How long taking it may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The right to act, held by this host.
pub(super) struct Post {
    record: Leader,
    revision: u64,
    /// Who had it, and was silent.
    pub(super) predecessor: Option<ProcessId>,
}

impl Post {
    /// Renews it; whether this host still has it.
    pub(super) async fn renew(&mut self, member: &Member) -> bool {
        self.record.beat += 1;
        let written = timeout(RENEW_EVERY, member.store.update(&self.record, self.revision)).await;
        match written {
            Ok(Ok(revision)) => {
                self.revision = revision;
                true
            }
            // An earlier write that was not acknowledged may be what it conflicts with: then the watch says that it is ours.
            Ok(Err(StoreError::Conflict { .. })) => false,
            Ok(Err(_)) | Err(_) => true,
        }
    }

    /// Gives it up, so that another host acts at once.
    pub(super) async fn resign(&self, member: &Member) {
        let resigned = member.store.delete_at::<Leader>(key::LEADER, self.revision);
        let _ = timeout(RENEW_EVERY, resigned).await;
    }
}

/// Resolves once it is this host's turn.
pub(super) async fn wait_for_post(member: &Member, outages: &mut Outages) -> Post {
    let mut watch = member.store.watch::<Leader>(key::LEADER);
    let mut holder: Option<Entry<Leader>> = None;
    let mut heard = outages.counts_from();
    loop {
        let seen = tokio::select! {
            // Cancel-safe, both.
            () = outages.changed() => {
                heard = outages.counts_from();
                continue;
            }
            seen = timeout_at(heard + LEASE, watch.next()) => seen,
        };
        match seen {
            Ok(Change::Put(entry)) => {
                let is_ours_of_old = entry.record.process == member.process;
                (holder, heard) = (Some(entry), outages.counts_from());
                if !is_ours_of_old {
                    continue;
                }
            }
            Ok(Change::Current) if holder.is_some() => continue,
            Ok(Change::Deleted { .. }) => holder = None,
            Ok(Change::Current) | Err(_) => {}
        }
        heard = outages.counts_from();
        if outages.is_connected()
            && let Some(post) = claim(member, holder.as_ref()).await
        {
            return post;
        }
    }
}

/// Takes the post over from `holder`, unless somebody else has done so.
async fn claim(member: &Member, holder: Option<&Entry<Leader>>) -> Option<Post> {
    let beat = holder.map_or(0, |holder| holder.record.beat) + 1;
    let record = Leader { process: member.process, incarnation: member.incarnation, beat };
    let written = async {
        match holder {
            Some(holder) => member.store.update(&record, holder.revision).await,
            None => member.store.create(&record).await,
        }
    };
    let revision = timeout(STORE_TIMEOUT, written).await.ok()?.ok()?;
    let predecessor = holder.map(|holder| holder.record.process);
    let predecessor = predecessor.filter(|process| *process != member.process);
    Some(Post { record, revision, predecessor })
}
