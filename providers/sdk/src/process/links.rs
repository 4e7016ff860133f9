//! The links of the lattice, as a provider in a process of its own hears of them; and who may call it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use wicker_lattice::call::{Call, Invocation, Invoke};
use wicker_lattice::export::{Exports, Gate, counting};
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::scopes;
use wicker_lattice::secret::SecretSource;
use wicker_lattice::store::record::{Export, Link, Provider};
use wicker_lattice::store::{Change, Entry, Record as _, Store, StoreError, key};
use wicker_process::Tasks;

use crate::instance::ProviderInstance;
use crate::link::{LinkRecord, LinkSource, LinkSourceError};

/// Reads links from the lattice's store.
#[derive(Debug, Clone)]
pub struct StoreLinks {
    /// Where they are.
    pub store: Store,
    /// Where the secrets are that they name.
    pub secrets: Arc<dyn SecretSource>,
}

impl StoreLinks {
    async fn find(
        &self,
        source: &ObjectId,
        interface: &InterfaceKey,
        name: &str,
    ) -> Result<Option<LinkRecord>, StoreError> {
        for scope in scopes(interface) {
            if let Some(entry) = self.store.get::<Link>(&key::link(source, &scope, name)).await? {
                let (link, revision) = counting(&self.store, &entry.record, entry.revision).await?;
                return Ok(Some(LinkRecord { link, revision }));
            }
        }
        Ok(None)
    }
}

impl LinkSource for StoreLinks {
    fn secrets(&self) -> Arc<dyn SecretSource> {
        Arc::clone(&self.secrets)
    }

    fn read<'a>(
        &'a self,
        source: &'a ObjectId,
        interface: &'a InterfaceKey,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>> {
        Box::pin(async move {
            self.find(source, interface, name).await.map_err(|error| LinkSourceError {
                source_id: source.clone(),
                interface: interface.clone(),
                cause: crate::error::chain(&error),
            })
        })
    }
}

/// The lattice's links and exports, as one provider's process has read them.
pub(crate) struct Follower {
    id: ObjectId,
    store: Store,
    instance: Arc<dyn ProviderInstance>,
    gate: Arc<Gate>,
    tasks: Tasks,
    links: HashMap<String, Entry<Link>>,
    exports: Exports,
}

/// One change.
enum Seen {
    Link(Change<Link>),
    Export(Change<Export>),
    Own(Change<Provider>),
}

impl Follower {
    /// Follows for the provider `id`, which lets calls in through `gate`.
    pub(crate) fn new(
        (id, store): (&ObjectId, &Store),
        instance: &Arc<dyn ProviderInstance>,
        gate: &Arc<Gate>,
        tasks: &Tasks,
    ) -> Self {
        Self {
            id: id.clone(),
            store: store.clone(),
            instance: Arc::clone(instance),
            gate: Arc::clone(gate),
            tasks: tasks.clone(),
            links: HashMap::new(),
            exports: Exports::default(),
        }
    }

    /// Tells the instance of every link that changes, and the gate of every export, until the tasks are asked to stop.
    /// `current` is told when all that were there at the start have been told.
    ///
    /// Links are kept by source, so a provider hears of all of them; they change when somebody types.
    pub(crate) async fn run(mut self, current: oneshot::Sender<()>) -> Result<(), Infallible> {
        let mut links = self.store.watch::<Link>(&Link::all());
        let mut exports = self.store.watch::<Export>(&Export::all());
        let mut own = self.store.watch::<Provider>(&key::provider(&self.id));
        let tasks = self.tasks.clone();
        let mut current = Some(current);
        // What is still to be told of what was there: links, exports, the provider's own record.
        let mut untold = [true; 3];
        loop {
            let seen = tokio::select! {
                // Cancel-safe, all: a change not taken is told again.
                () = tasks.stopping() => return Ok(()),
                change = links.next() => Seen::Link(change),
                change = exports.next() => Seen::Export(change),
                change = own.next() => Seen::Own(change),
            };
            match &seen {
                Seen::Link(Change::Current) => untold[0] = false,
                Seen::Export(Change::Current) => untold[1] = false,
                Seen::Own(Change::Current) => untold[2] = false,
                _ => {}
            }
            let is_about_grants = !matches!(seen, Seen::Link(_));
            match seen {
                Seen::Link(change) => self.see_link(change),
                Seen::Export(change) => self.see_export(change),
                Seen::Own(Change::Put(entry)) => {
                    self.exports.see_provider(&entry.record);
                }
                Seen::Own(_) => {}
            }
            if is_about_grants && !untold[1] && !untold[2] {
                self.gate.set(&self.exports);
            }
            if untold == [false; 3]
                && let Some(current) = current.take()
            {
                // Nobody waits any more if the start failed meanwhile.
                let _ = current.send(());
            }
        }
    }

    fn see_link(&mut self, change: Change<Link>) {
        match change {
            Change::Put(entry) => {
                self.apply(&entry);
                self.links.insert(entry.key.clone(), entry);
            }
            Change::Deleted { key } => {
                if let Some(link) = self.links.remove(&key) {
                    let (link, revision) = self.exports.counting(&link.record, link.revision);
                    self.instance.remove_link(&link.source, &link.scope, &link.name, revision);
                }
            }
            Change::Current => {}
        }
    }

    fn see_export(&mut self, change: Change<Export>) {
        let id = match change {
            Change::Put(entry) => {
                let id = entry.record.id.clone();
                self.exports.put(entry.record, entry.revision);
                id
            }
            Change::Deleted { key } => {
                let id = key.rsplit('.').next().and_then(|token| ObjectId::from_token(token).ok());
                let Some((id, (_, revision))) =
                    id.and_then(|id| Some((id.clone(), self.exports.remove(&id)?)))
                else {
                    return;
                };
                for link in self.links.values().filter(|link| link.record.leads_to(&id)) {
                    let Link { source, scope, name, .. } = &link.record;
                    self.instance.remove_link(source, scope, name, revision.max(link.revision));
                }
                id
            }
            Change::Current => return,
        };
        for link in self.links.values().filter(|link| link.record.leads_to(&id)) {
            self.apply(link);
        }
    }

    fn apply(&self, link: &Entry<Link>) {
        let (link, revision) = self.exports.counting(&link.record, link.revision);
        let (instance, record) = (Arc::clone(&self.instance), LinkRecord { link, revision });
        // A link that is slow to open keeps no other waiting. Failures are logged, and show in the health.
        self.tasks.spawn_work(async move { drop(instance.apply_link(record).await) });
    }
}

/// A provider behind its gate.
pub(crate) struct Guarded {
    pub(crate) gate: Arc<Gate>,
    pub(crate) instance: Arc<dyn ProviderInstance>,
}

impl Invoke for Guarded {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(self.gate.answer(self.instance.as_ref(), call))
    }

    fn is_brief(&self, target: &ObjectId) -> bool {
        self.instance.is_brief(target)
    }
}
