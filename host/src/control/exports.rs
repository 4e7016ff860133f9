//! What an export that changed means for this host: who is let in, where links across teams lead, and who is told.

use std::collections::BTreeSet;

use wicker_lattice::event::EventKind;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Export, Link};
use wicker_lattice::store::{Change, Entry};

use super::Control;

impl Control {
    pub(super) fn see_export(&mut self, change: Change<Export>) {
        match change {
            Change::Put(entry) => {
                let before = self.records.exports.get(&entry.record.id).cloned();
                let (after, revision) = (entry.record, entry.revision);
                self.records.exports.put(after.clone(), revision);
                self.tell_of_grants(before.as_ref(), Some(&after));
                for link in self.links_through(&after.id) {
                    let now = self.records.counting(&link);
                    let targets = before.iter().chain([&after]).map(|export| &export.target);
                    for provider in targets.collect::<BTreeSet<_>>() {
                        self.tell_provider(provider, now.clone());
                    }
                }
            }
            Change::Deleted { key } => {
                let id = key.rsplit('.').next().and_then(|token| ObjectId::from_token(token).ok());
                let Some((before, revision)) = id.and_then(|id| self.records.exports.remove(&id))
                else {
                    return;
                };
                self.tell_of_grants(Some(&before), None);
                for Entry { record: link, revision: written, .. } in self.links_through(&before.id)
                {
                    if let Some(provider) = self.provider(&before.target) {
                        let revision = revision.max(written);
                        provider.remove_link(&link.source, &link.scope, &link.name, revision);
                    }
                }
            }
            Change::Current => self.exports_are_known = true,
        }
        self.changed.exports = true;
        self.changed.links = true;
    }

    /// The links of other teams to an export.
    fn links_through(&self, export: &ObjectId) -> Vec<Entry<Link>> {
        let is_through = |link: &&Entry<Link>| {
            link.record.leads_to(export) && link.record.source.team() != export.team()
        };
        self.records.links.values().filter(is_through).cloned().collect()
    }

    /// Says which teams may call what runs here, and which may no more.
    fn tell_of_grants(&self, before: Option<&Export>, after: Option<&Export>) {
        let Some(export) = after.or(before) else { return };
        // What was there when this host joined is no news.
        if !self.exports_are_known || !self.running.contains_key(&export.target) {
            return;
        }
        let teams = |export: Option<&Export>| -> BTreeSet<String> {
            export.into_iter().flat_map(|export| export.to.keys().cloned()).collect()
        };
        let (before, after) = (teams(before), teams(after));
        let tell = |kind, team: &String, what: &str| {
            let message = format!("{} is {what} to team `{team}`", export.id);
            tracing::info!("{message}");
            self.parts.member.tell(kind, Some(&export.target), message);
        };
        before
            .difference(&after)
            .for_each(|team| tell(EventKind::LinkClosed, team, "no longer offered"));
        after.difference(&before).for_each(|team| tell(EventKind::LinkOpened, team, "offered"));
    }

    /// Says which links of a component here are closed, and that they are open again.
    pub(super) fn tell_of_closed(&self, id: &ObjectId, before: &[String], now: &[String]) {
        for why in now.iter().filter(|why| !before.contains(why)) {
            let message = format!("a link of {id} is closed: {why}");
            tracing::warn!("{message}");
            self.parts.member.tell(EventKind::LinkClosed, Some(id), message);
        }
        if now.is_empty() && !before.is_empty() {
            let message = format!("the links of {id} are open again");
            tracing::info!("{message}");
            self.parts.member.tell(EventKind::LinkOpened, Some(id), message);
        }
    }
}
