//! Which records a process acts on: before a lattice has an authority all of them, from then on those that their teams
//! have approved. Team `default` stays open: bare files and providers of no application live there.

use std::collections::{BTreeSet, HashMap};

use super::team::{Approval, Approved, check_approval, check_revocation};
use crate::id::DEFAULT_TEAM;
use crate::store::record::Approvals;

/// Every approval of a lattice, as far as one process has read them.
#[derive(Debug)]
pub struct Trust {
    lattice: String,
    authority: Option<String>,
    approvals: HashMap<String, Approvals>,
    /// As they were written, true or not.
    revocations: BTreeSet<String>,
    /// The ids of tokens that are good no more.
    revoked: BTreeSet<String>,
    /// By the keys of records.
    good: HashMap<String, BTreeSet<Approved>>,
}

impl Trust {
    /// Nothing is known of this lattice yet.
    #[must_use]
    pub fn new(lattice: &str) -> Self {
        Self {
            lattice: lattice.to_owned(),
            authority: None,
            approvals: HashMap::new(),
            revocations: BTreeSet::new(),
            revoked: BTreeSet::new(),
            good: HashMap::new(),
        }
    }

    /// The key of the authority, once there is one.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// From now on teams speak by what this authority has signed.
    pub fn set_authority(&mut self, key: &str) {
        self.authority = Some(key.to_owned());
        self.check_all();
    }

    /// Takes in a revocation. What was acted on goes on; what comes now needs another token's word.
    pub fn revoke(&mut self, revocation: String) {
        if self.revocations.insert(revocation) {
            self.check_all();
        }
    }

    fn check_all(&mut self) {
        if let Some(authority) = &self.authority {
            let by = (authority.as_str(), self.lattice.as_str());
            let revoked =
                self.revocations.iter().filter_map(|each| check_revocation(each, by).ok());
            self.revoked = revoked.collect();
        }
        let approvals: Vec<Approvals> = self.approvals.values().cloned().collect();
        self.good.clear();
        approvals.iter().for_each(|each| self.check(each));
    }

    /// Takes in the approvals of one record.
    pub fn put(&mut self, approvals: Approvals) {
        self.check(&approvals);
        self.approvals.insert(approvals.of.clone(), approvals);
    }

    /// The approvals of a record are gone.
    pub fn remove(&mut self, of: &str) {
        self.approvals.remove(of);
        self.good.remove(of);
    }

    fn check(&mut self, approvals: &Approvals) {
        let Some(authority) = &self.authority else { return };
        let by = (authority.as_str(), self.lattice.as_str());
        let is_revoked =
            |approval: &&Approval| approval.token_id().is_some_and(|id| self.revoked.contains(&id));
        let known = approvals.approvals.iter().filter(|approval| !is_revoked(approval));
        let checked = known.filter_map(|approval| {
            let checked = check_approval(approval, by);
            let told = checked.inspect_err(
                |error| tracing::warn!(of = approvals.of, %error, "an approval is none"),
            );
            told.ok()
        });
        self.good.insert(approvals.of.clone(), checked.collect());
    }

    /// Why a record is not acted on; `None`: it is.
    #[must_use]
    pub fn refusal(&self, record: &Approved) -> Option<String> {
        let is_open = self.authority.is_none() || record.team == DEFAULT_TEAM;
        let is_good = || self.good.get(&record.key).is_some_and(|good| good.contains(record));
        (!is_open && !is_good())
            .then(|| format!("nobody with a token of team `{}` approved it", record.team))
    }
}

#[cfg(test)]
mod tests {
    use super::super::team::{Authority, Credential};
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const KEY: &str = "component.shop_web_web";

    fn record(team: &str, digest: &str) -> Approved {
        Approved { team: team.to_owned(), key: KEY.to_owned(), digest: digest.to_owned() }
    }

    fn approvals(by: &Credential, digests: &[&str]) -> Approvals {
        let approve = |digest: &&str| by.approve(KEY, digest, NOW).unwrap();
        Approvals { of: KEY.to_owned(), approvals: digests.iter().map(approve).collect() }
    }

    #[test]
    fn records_need_their_own_teams_word_once_there_is_an_authority() {
        let authority = Authority::generate().unwrap();
        let credential = authority.issue("l", "shop", (NOW, 60)).unwrap();
        let other = authority.issue("l", "other", (NOW, 60)).unwrap();
        let mut trust = Trust::new("l");
        assert_eq!(trust.refusal(&record("shop", "d")), None);
        trust.put(approvals(&credential, &["c", "d"]));
        trust.set_authority(authority.public_key());
        assert_eq!(trust.refusal(&record("shop", "d")), None);
        assert_eq!(trust.refusal(&record("default", "x")), None);
        assert!(trust.refusal(&record("shop", "x")).is_some());
        trust.put(approvals(&other, &["x"]));
        assert!(trust.refusal(&record("shop", "x")).is_some(), "another team's word");
        assert!(trust.refusal(&record("shop", "d")).is_some(), "its own is gone");
        trust.remove(KEY);
        assert!(trust.refusal(&record("other", "x")).is_some());
    }

    #[test]
    fn word_of_a_revoked_token_counts_no_more() {
        let (authority, stranger) =
            (Authority::generate().unwrap(), Authority::generate().unwrap());
        let [leaked, kept] = [(); 2].map(|()| authority.issue("l", "shop", (NOW, 60)).unwrap());
        let mut trust = Trust::new("l");
        trust.revoke(authority.revoke("l", &leaked.id(), NOW).unwrap());
        trust.revoke(stranger.revoke("l", &kept.id(), NOW).unwrap());
        trust.set_authority(authority.public_key());
        trust.put(approvals(&leaked, &["d"]));
        assert!(trust.refusal(&record("shop", "d")).is_some());
        trust.put(approvals(&kept, &["d"]));
        assert_eq!(trust.refusal(&record("shop", "d")), None, "a stranger revokes nothing");
        trust.revoke(authority.revoke("l", &kept.id(), NOW).unwrap());
        assert!(trust.refusal(&record("shop", "d")).is_some(), "from the moment it is known");
    }
}
