//! Which records this host acts on: once the lattice has an authority, those that their teams have approved. Others are
//! held back until they are; what was there before them stays.
//!
//! A host remembers the first authority that it sees, over its restarts: whoever writes another one convinces nobody.

use wicker_lattice::event::EventKind;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Approvals, Authority, Token};
use wicker_lattice::store::{Change, Entry, Record};
use wicker_lattice::token::digest;
use wicker_lattice::token::team::Approved;

use super::Control;
use super::watch::Seen;

/// The file of the data directory that holds the authority's public key.
const AUTHORITY: &str = "authority";

/// Whether everything that trust goes by has been read.
#[derive(Debug, Default)]
pub(super) struct Known {
    authority: bool,
    approvals: bool,
    tokens: bool,
}

impl Known {
    fn is_all(&self) -> bool {
        self.authority && self.approvals && self.tokens
    }
}

impl Control {
    /// Reads whom this host trusts from its data directory.
    pub(super) fn remember_authority(&mut self) {
        let file = self.parts.starter.data.path().join(AUTHORITY);
        if let Ok(text) = std::fs::read_to_string(file) {
            let (lattice, key) = text.trim().split_once(' ').unwrap_or_default();
            if lattice == self.parts.member.store.epoch().replace(' ', "_") {
                self.trust.set_authority(key);
            }
        }
    }

    pub(super) fn see_authority(&mut self, change: Change<Authority>) {
        match change {
            Change::Put(Entry { record: Authority { key }, .. }) => match self.trust.authority() {
                None => {
                    let file = self.parts.starter.data.path().join(AUTHORITY);
                    let epoch = self.parts.member.store.epoch().replace(' ', "_");
                    if let Err(error) = std::fs::write(&file, format!("{epoch} {key}\n")) {
                        tracing::warn!("cannot write {}: {error}", file.display());
                    }
                    self.trust.set_authority(&key);
                }
                Some(known) if known == key => {}
                Some(_) => {
                    let message = "the lattice names another authority than it did: it is ignored";
                    tracing::warn!("{message}");
                    self.parts.member.tell(EventKind::RecordRefused, None, message);
                }
            },
            Change::Deleted { .. } => {}
            Change::Current => self.known.authority = true,
        }
        self.see_held();
    }

    pub(super) fn see_approvals(&mut self, change: Change<Approvals>) {
        match change {
            Change::Put(entry) => self.trust.put(entry.record),
            // What was approved goes on; what comes now needs another word.
            Change::Deleted { key } => self.trust.remove(key.trim_start_matches("approval.")),
            Change::Current => self.known.approvals = true,
        }
        self.see_held();
    }

    pub(super) fn see_token(&mut self, change: Change<Token>) {
        match change {
            Change::Put(entry) => {
                if let Some(revocation) = entry.record.revocation {
                    self.trust.revoke(revocation);
                }
            }
            // Who deletes a revocation makes nothing good that was revoked while this host ran.
            Change::Deleted { .. } => {}
            Change::Current => self.known.tokens = true,
        }
        self.see_held();
    }

    /// Lets through what may be acted on, and holds back the rest.
    pub(super) fn trusted(&mut self, seen: Seen) -> Option<Seen> {
        let (record, object) = match said(&seen) {
            Said::Something(record, object) => (record, object),
            Said::Gone(key) => {
                self.held.remove(&key);
                return Some(seen);
            }
            Said::Nothing => return Some(seen),
        };
        self.held.remove(&record.key);
        let is_known = self.known.is_all();
        let refusal = if is_known { self.trust.refusal(&record) } else { Some(String::new()) };
        let Some(why) = refusal else { return Some(seen) };
        if is_known
            && self.refused.insert(record.key.clone(), record.digest.clone()).as_ref()
                != Some(&record.digest)
        {
            let message = format!("{} is ignored: {why}", record.key);
            tracing::warn!("{message}");
            self.parts.member.tell(EventKind::RecordRefused, Some(&object), message);
        }
        self.held.insert(record.key, seen);
        None
    }

    /// Looks again at what was held back.
    fn see_held(&mut self) {
        if self.known.is_all() {
            for seen in std::mem::take(&mut self.held).into_values() {
                self.see(seen);
            }
        }
    }
}

/// What a change says that needs its team's word.
enum Said {
    Something(Approved, ObjectId),
    /// There is no record of that key any more.
    Gone(String),
    Nothing,
}

fn said(seen: &Seen) -> Said {
    match seen {
        Seen::Component(change) => of(change, |record| record.id.clone()),
        Seen::Provider(change) => of(change, |record| record.id.clone()),
        Seen::Link(change) => of(change, |record| record.source.clone()),
        Seen::Export(change) => of(change, |record| record.id.clone()),
        Seen::Route(change) => of(change, |record| record.target.clone()),
        Seen::Schedule(change) => of(change, |record| record.target.clone()),
        _ => Said::Nothing,
    }
}

fn of<R: Record>(change: &Change<R>, object: impl Fn(&R) -> ObjectId) -> Said {
    match change {
        Change::Put(Entry { record, .. }) => {
            let (object, key) = (object(record), record.key());
            let team = object.team().to_owned();
            Said::Something(Approved { team, key, digest: digest(record) }, object)
        }
        Change::Deleted { key } => Said::Gone(key.clone()),
        Change::Current => Said::Nothing,
    }
}
