//! The links that lead to one provider, as it knows them: pure, written by whoever learns of a change.
//!
//! A call names its link by source, name and revision. It is served by exactly that revision while it is known, so that
//! a caller that pinned an older snapshot finishes on what it pinned; else by the newest. A call of a newer revision
//! than is known makes the provider read the link first. A link that is gone, or points elsewhere, keeps serving those
//! who still hold it for [`RETIRE_AFTER`].

pub mod query;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, LinkRef, Status};
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::secret::{Held, SecretSource};
use wicker_lattice::store::record::{Link, Scope};

/// How long callers that pinned an older link may go on using it: longer than any call is expected to take.
pub const RETIRE_AFTER: Duration = Duration::from_secs(60);

/// A link as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    /// What it says.
    pub link: Link,
    /// The store's revision of it.
    pub revision: u64,
}

/// Reads links from the lattice's state, and the secrets that configs name.
pub trait LinkSource: Send + Sync + 'static {
    /// Where the values of secrets are. By default there are none.
    fn secrets(&self) -> Arc<dyn SecretSource> {
        Arc::new(Held::default())
    }

    /// The link under which `source` reaches `interface` by `name`: the one for the interface itself if there is one,
    /// else the one for its package. `None` where there is neither. Never older than what any process has read before
    /// the call.
    fn read<'a>(
        &'a self,
        source: &'a ObjectId,
        interface: &'a InterfaceKey,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>>;
}

/// The lattice's state could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read the link of {source_id} for {interface}: {cause}")]
pub struct LinkSourceError {
    /// Whose link.
    pub source_id: ObjectId,
    /// For what.
    pub interface: InterfaceKey,
    /// Why.
    pub cause: String,
}

/// A link source without a lattice behind it: the provider knows what it is told, and nothing more; as the calls of a
/// [`ProviderStart`](crate::ProviderStart) it reaches nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLinkSource;

impl LinkSource for NoLinkSource {
    fn read<'a>(
        &'a self,
        _source: &'a ObjectId,
        _interface: &'a InterfaceKey,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>> {
        Box::pin(async { Ok(None) })
    }
}

impl Invoke for NoLinkSource {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        let message = format!("there is no lattice in which {} could run", call.target);
        Box::pin(async { Err(CallError::new(Status::Unavailable, message)) })
    }
}

/// One link of one source, at one revision, with whatever `T` the provider keeps for it.
pub(crate) struct Entry<T> {
    pub(crate) record: LinkRecord,
    pub(crate) opened: T,
}

impl<T> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Who calls, and by which link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    source: ObjectId,
    name: Arc<str>,
}

/// The revisions of one link (source, scope, name) that may still be used.
struct Revisions<T> {
    scope: Scope,
    /// The newest, unless the link is gone.
    current: Option<Arc<Entry<T>>>,
    /// The newest revision heard of, whether the link was there or gone.
    known: u64,
    /// Older ones, until when.
    retiring: Vec<(Instant, Arc<Entry<T>>)>,
}

/// All links that lead to one provider.
pub(crate) struct Table<T> {
    places: HashMap<Place, Vec<Revisions<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: HashMap::new() }
    }
}

impl<T> Clone for Revisions<T> {
    fn clone(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            current: self.current.clone(),
            known: self.known,
            retiring: self.retiring.clone(),
        }
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { places: self.places.clone() }
    }
}

/// Which link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkName<'a> {
    pub(crate) source: &'a ObjectId,
    pub(crate) scope: &'a Scope,
    pub(crate) name: &'a str,
}

impl<'a> LinkName<'a> {
    pub(crate) fn of(link: &'a Link) -> Self {
        Self { source: &link.source, scope: &link.scope, name: &link.name }
    }
}

/// What the table says about a call.
pub(crate) enum Found<T> {
    /// This is the link to use.
    Use(Arc<Entry<T>>),
    /// The call knows more than the table: read the link.
    Unknown,
}

impl<T> Table<T> {
    /// What `link` of `source` is, for a call of `interface`.
    pub(crate) fn find(
        &self,
        source: &ObjectId,
        interface: &InterfaceKey,
        link: &LinkRef,
    ) -> Found<T> {
        let LinkRef { name, revision } = link;
        let place = Place { source: source.clone(), name: Arc::clone(name) };
        let Some(links) = self.places.get(&place) else { return Found::Unknown };
        let covering = || links.iter().filter(|link| covers(&link.scope, interface));
        if let Some(exact) = covering().find_map(|link| link.at(*revision)) {
            return Found::Use(Arc::clone(exact));
        }
        let narrowest = covering()
            .filter(|link| link.current.is_some())
            .min_by_key(|link| matches!(link.scope, Scope::Package(_)));
        match narrowest.and_then(|link| link.current.as_ref()) {
            Some(entry) if entry.record.revision >= *revision => Found::Use(Arc::clone(entry)),
            _ => Found::Unknown,
        }
    }

    /// Notes a revision of a link that leads here. Older than what is known changes nothing.
    pub(crate) fn apply(&mut self, record: LinkRecord, now: Instant) -> Option<Arc<Entry<T>>>
    where
        T: Default,
    {
        let link = self.revisions(LinkName::of(&record.link));
        if record.revision < link.known {
            return None;
        }
        if let Some(current) = &link.current
            && current.record.revision == record.revision
        {
            return Some(Arc::clone(current));
        }
        link.known = record.revision;
        link.retire(now);
        let entry = Arc::new(Entry { record, opened: T::default() });
        link.current = Some(Arc::clone(&entry));
        Some(entry)
    }

    /// Puts `fresh` in place of an entry of the same revision: it was opened with what its secrets are by now.
    pub(crate) fn renew(&mut self, fresh: &Arc<Entry<T>>, now: Instant) {
        let link = self.revisions(LinkName::of(&fresh.record.link));
        let revision = fresh.record.revision;
        if link.current.as_ref().is_some_and(|current| current.record.revision == revision) {
            link.retire(now);
            link.current = Some(Arc::clone(fresh));
        }
    }

    /// Notes that a link is gone, or leads elsewhere, since `revision`.
    pub(crate) fn remove(&mut self, name: LinkName<'_>, revision: u64, now: Instant) {
        let link = self.revisions(name);
        if revision >= link.known {
            link.known = revision;
            link.retire(now);
        }
    }

    /// Whether [`Table::sweep`] would forget anything.
    pub(crate) fn has_retired(&self, now: Instant) -> bool {
        self.places
            .values()
            .flatten()
            .flat_map(|link| &link.retiring)
            .any(|(until, _)| *until <= now)
    }

    /// Forgets what has retired.
    pub(crate) fn sweep(&mut self, now: Instant) {
        for links in self.places.values_mut() {
            for link in links.iter_mut() {
                link.retiring.retain(|(until, _)| *until > now);
            }
            links.retain(|link| link.current.is_some() || !link.retiring.is_empty());
        }
        self.places.retain(|_, links| !links.is_empty());
    }

    /// Every link in force, newest revision only.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Arc<Entry<T>>> {
        self.places.values().flatten().filter_map(|link| link.current.as_ref())
    }

    #[expect(clippy::expect_used, reason = "it is pushed where it is not there")]
    fn revisions(&mut self, name: LinkName<'_>) -> &mut Revisions<T> {
        let LinkName { source, scope, name } = name;
        let place = Place { source: source.clone(), name: name.into() };
        let links = self.places.entry(place).or_default();
        if !links.iter().any(|link| link.scope == *scope) {
            let (scope, retiring) = (scope.clone(), Vec::new());
            links.push(Revisions { scope, current: None, known: 0, retiring });
        }
        links.iter_mut().find(|link| link.scope == *scope).expect("it is there by now")
    }
}

impl<T> Revisions<T> {
    fn at(&self, revision: u64) -> Option<&Arc<Entry<T>>> {
        let retiring = self.retiring.iter().map(|(_, entry)| entry);
        self.current.iter().chain(retiring).find(|entry| entry.record.revision == revision)
    }

    fn retire(&mut self, now: Instant) {
        if let Some(old) = self.current.take() {
            self.retiring.push((now + RETIRE_AFTER, old));
        }
    }
}

/// Whether a link of `scope` covers `interface`; what [`wicker_lattice::link::scopes`] says, but on the path of every
/// call, so it makes no key.
fn covers(scope: &Scope, interface: &InterfaceKey) -> bool {
    let wasi = match interface.as_str() {
        wicker_lattice::http::INTERFACE => "wasi:http",
        wicker_lattice::blobs::INTERFACE => "wasi:blobstore",
        _ => "",
    };
    let package = match scope {
        Scope::Interface(key) => return key == interface || package_of(key.as_str()).0 == wasi,
        Scope::Package(package) => package_of(package.as_str()),
    };
    package.0 == wasi || package == package_of(interface.as_str())
}

/// A package and its version, from its own name or that of one of its interfaces.
fn package_of(text: &str) -> (&str, &str) {
    let (path, version) = text.find('@').map_or((text, ""), |at| text.split_at(at));
    (path.split_once('/').map_or(path, |(package, _)| package), version)
}

#[cfg(test)]
mod tests;
