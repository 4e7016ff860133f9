//! What a record that changed means for this host: an event for its state, or a table to be made anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Link, ObjectKind, Route, Running, Schedule};
use wicker_lattice::store::{Change, Record as _};
use wicker_provider::{LinkRecord, ProviderInstance};

use super::task::Run;
use super::watch::Seen;
use super::{Control, Handle, StatusWrite};
use crate::state::{Event, Spec};

impl Control {
    pub(super) fn see(&mut self, seen: Seen) {
        let Some(seen) = self.trusted(seen) else { return };
        match seen {
            Seen::Component(Change::Put(entry)) => {
                self.records.specified(&entry.record.id);
                self.records.exports.own(&entry.record.id);
                self.changed.exports = true;
                self.apply(Event::Specified(Spec::Component(Arc::new(entry.record))));
            }
            Seen::Provider(Change::Put(entry)) => {
                self.records.specified(&entry.record.id);
                self.records.see_owner(&entry.record);
                self.records.exports.see_provider(&entry.record);
                self.changed.exports = true;
                self.changed.places = true;
                self.apply(Event::Specified(Spec::Provider(Arc::new(entry.record))));
            }
            Seen::Component(Change::Deleted { key }) => self.see_end(ObjectKind::Component, &key),
            Seen::Provider(Change::Deleted { key }) => self.see_end(ObjectKind::Provider, &key),
            Seen::Placement(Change::Put(entry)) => self.apply(Event::Placed(entry.record)),
            Seen::Placement(Change::Deleted { key }) => {
                if let Some(id) = last_token(&key) {
                    self.apply(Event::Unplaced(id));
                }
            }
            Seen::Running(Change::Current) => {
                self.clear_leftovers();
                self.say_everything();
            }
            Seen::Running(change) => {
                self.say_again(&change);
                self.changed.places |= self.records.see_running(change);
            }
            Seen::Link(change) => self.see_link(change),
            Seen::Route(change) => self.see_route(change),
            Seen::Schedule(change) => self.see_schedule(change),
            Seen::Export(change) => self.see_export(change),
            Seen::Authority(change) => self.see_authority(change),
            Seen::Approvals(change) => self.see_approvals(change),
            Seen::Token(change) => self.see_token(change),
            Seen::Component(Change::Current)
            | Seen::Provider(Change::Current)
            | Seen::Placement(Change::Current) => {}
        }
    }

    /// A spec that is gone; not, where the other kind of object has taken its name already.
    fn see_end(&mut self, kind: ObjectKind, key: &str) {
        let Some(id) = last_token(key) else { return };
        if self.state.kind_of(&id).is_some_and(|now| now != kind) {
            return;
        }
        self.records.unspecified(&id);
        self.records.exports.disown(&id);
        self.changed.exports = true;
        self.changed.places = true;
        self.apply(Event::Unspecified(id));
    }

    fn see_route(&mut self, change: Change<Route>) {
        match change {
            Change::Put(entry) => _ = self.records.routes.insert(entry.key.clone(), entry),
            Change::Deleted { key } => _ = self.records.routes.remove(&key),
            Change::Current => {}
        }
        self.changed.routes = true;
    }

    fn see_schedule(&mut self, change: Change<Schedule>) {
        match change {
            Change::Put(entry) => _ = self.records.schedules.insert(entry.key, entry.record),
            Change::Deleted { key } => _ = self.records.schedules.remove(&key),
            Change::Current => {}
        }
        self.changed.schedules = true;
    }

    fn see_link(&mut self, change: Change<Link>) {
        match change {
            Change::Put(entry) => {
                let before = self.records.links.insert(entry.key.clone(), entry.clone());
                if before.as_ref() == Some(&entry) {
                    return;
                }
                // Those that it leads to, led to, or leads away from.
                let before = before.map(|link| self.records.counting(&link).link);
                let now = self.records.counting(&entry);
                let before = before.iter().flat_map(Link::targets);
                let told = before.chain(now.link.targets()).chain([&now.link.source]);
                for provider in told.collect::<BTreeSet<_>>() {
                    self.tell_provider(provider, now.clone());
                }
            }
            Change::Deleted { key } => {
                if let Some(link) = self.records.links.remove(&key) {
                    self.forget_link(&self.records.counting(&link));
                }
            }
            Change::Current => {}
        }
        self.changed.links = true;
    }

    /// Takes a link from those that it led to and away from.
    fn forget_link(&self, LinkRecord { link, revision }: &LinkRecord) {
        let Link { source, scope, name, .. } = link;
        for provider in link.targets().chain([source]).filter_map(|id| self.provider(id)) {
            provider.remove_link(source, scope, name, *revision);
        }
    }

    pub(super) fn provider(&self, id: &ObjectId) -> Option<Arc<dyn ProviderInstance>> {
        match self.running.get(id).map(Run::handle) {
            Some(Handle::Provider(provider)) => Some(Arc::clone(provider)),
            _ => None,
        }
    }

    /// Tells a provider here of a link, and lets it open it; its failure is in the provider's health and log.
    pub(super) fn tell_provider(&self, id: &ObjectId, record: LinkRecord) {
        if let Some(provider) = self.provider(id) {
            self.parts
                .member
                .tasks
                .spawn_work(async move { _ = provider.apply_link(record).await });
        }
    }

    /// Writes anew what somebody took for left over, because this host was frozen or cut off for longer than its lease.
    fn say_again(&self, change: &Change<Running>) {
        let Change::Deleted { key } = change else { return };
        let own = self.parts.member.process;
        let is_it = |word: &&Running| word.process == own && word.key() == *key;
        let word = self.last_word.values().find(is_it).filter(|_| !self.state.is_draining());
        if let Some(word) = word {
            self.parts.status.write(StatusWrite::Put(Box::new(word.clone())));
        }
    }

    /// Writes everything anew after an outage: what the state may have lost meanwhile nobody tells of.
    fn say_everything(&self) {
        let own = self.parts.member.process;
        for word in self.last_word.values().filter(|word| word.process == own) {
            self.parts.status.write(StatusWrite::Put(Box::new(word.clone())));
        }
    }

    /// Status records of an earlier life of this host: what they speak of does not run.
    fn clear_leftovers(&self) {
        let own = self.parts.member.process;
        for object in self.records.own_leftovers(own, |id| self.last_word.contains_key(id)) {
            self.parts.status.write(StatusWrite::Delete(object, own));
        }
    }
}

/// The object that a key ends with: `component.<id>`, `placement.<process>.<id>`.
fn last_token(key: &str) -> Option<ObjectId> {
    key.rsplit('.').next().and_then(|token| ObjectId::from_token(token).ok())
}
