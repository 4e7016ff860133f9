//! Every record that the reconciler looks at, as it changes.

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{
    Application, Component, Host, Placement, Progress, Provider, Running,
};
use wicker_lattice::store::{Change, Entry, Record, Store, Watch};
use wicker_reconciler::inventory::Stored;
use wicker_reconciler::reconcile::Reconciler;

/// The watches.
#[derive(Debug)]
pub(super) struct Feed {
    hosts: Followed<Host>,
    applications: Followed<Application>,
    components: Followed<Component>,
    providers: Followed<Provider>,
    placements: Followed<Placement>,
    running: Followed<Running>,
    progress: Followed<Progress>,
}

/// One watch, and whether it has told everything that was there.
#[derive(Debug)]
struct Followed<R> {
    watch: Watch<R>,
    is_current: bool,
}

/// One change.
#[derive(Debug)]
pub(super) enum Seen {
    Host(Change<Host>),
    Application(Change<Application>),
    Component(Change<Component>),
    Provider(Change<Provider>),
    Placement(Change<Placement>),
    Running(Change<Running>),
    Progress(Change<Progress>),
}

impl<R: Record> Followed<R> {
    fn new(store: &Store) -> Self {
        Self { watch: store.watch(&R::all()), is_current: false }
    }

    /// Cancel-safe.
    async fn next(&mut self) -> Change<R> {
        // Boxed: seven of these at once are too large for the task's own future.
        let change = Box::pin(self.watch.next()).await;
        self.is_current |= matches!(change, Change::Current);
        change
    }
}

impl Feed {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            hosts: Followed::new(store),
            applications: Followed::new(store),
            components: Followed::new(store),
            providers: Followed::new(store),
            placements: Followed::new(store),
            running: Followed::new(store),
            progress: Followed::new(store),
        }
    }

    /// Whether everything that there was has been told: before that, what is missing may only be late.
    pub(super) fn is_current(&self) -> bool {
        self.hosts.is_current
            && self.applications.is_current
            && self.components.is_current
            && self.providers.is_current
            && self.placements.is_current
            && self.running.is_current
            && self.progress.is_current
    }

    /// The next change of any kind. Cancel-safe.
    pub(super) async fn next(&mut self) -> Seen {
        tokio::select! {
            change = self.hosts.next() => Seen::Host(change),
            change = self.applications.next() => Seen::Application(change),
            change = self.components.next() => Seen::Component(change),
            change = self.providers.next() => Seen::Provider(change),
            change = self.placements.next() => Seen::Placement(change),
            change = self.running.next() => Seen::Running(change),
            change = self.progress.next() => Seen::Progress(change),
        }
    }
}

impl Seen {
    pub(super) fn tell(self, reconciler: &mut Reconciler) {
        match self {
            // What finds that a host is lost marks its record: until then it lives.
            Self::Host(Change::Put(entry)) if entry.record.lost_at.is_some() => {
                reconciler.host_gone(entry.record.process);
            }
            Self::Host(Change::Put(entry)) => reconciler.host(entry.record),
            Self::Host(Change::Deleted { key }) => {
                if let Some(host) = token(&key, 1).and_then(process) {
                    reconciler.host_gone(host);
                }
            }
            Self::Application(Change::Put(entry)) => {
                let (team, name) = (entry.record.team.clone(), entry.record.name.clone());
                reconciler.application(&team, &name, Some(stored(entry)));
            }
            Self::Application(Change::Deleted { key }) => {
                let mut tokens = key.split('.').skip(1);
                if let (Some(team), Some(name)) = (tokens.next(), tokens.next()) {
                    reconciler.application(team, name, None);
                }
            }
            Self::Component(Change::Put(entry)) => {
                let id = entry.record.id.clone();
                reconciler.component(&id, Some(stored(entry)));
            }
            Self::Component(Change::Deleted { key }) => {
                if let Some(id) = token(&key, 1).and_then(object) {
                    reconciler.component(&id, None);
                }
            }
            Self::Provider(Change::Put(entry)) => {
                let id = entry.record.id.clone();
                reconciler.provider(&id, Some(stored(entry)));
            }
            Self::Provider(Change::Deleted { key }) => {
                if let Some(id) = token(&key, 1).and_then(object) {
                    reconciler.provider(&id, None);
                }
            }
            Self::Placement(Change::Put(entry)) => {
                let (id, host) = (entry.record.object.clone(), entry.record.host);
                reconciler.placement(&id, host, Some(stored(entry)));
            }
            Self::Placement(Change::Deleted { key }) => {
                if let (Some(host), Some(id)) =
                    (token(&key, 1).and_then(process), token(&key, 2).and_then(object))
                {
                    reconciler.placement(&id, host, None);
                }
            }
            Self::Running(Change::Put(entry)) => {
                let (id, process) = (entry.record.object.clone(), entry.record.process);
                reconciler.running(&id, process, Some(entry.record));
            }
            Self::Running(Change::Deleted { key }) => {
                if let (Some(id), Some(process)) =
                    (token(&key, 1).and_then(object), token(&key, 2).and_then(process))
                {
                    reconciler.running(&id, process, None);
                }
            }
            Self::Progress(Change::Put(entry)) => reconciler.progress(entry.record),
            Self::Progress(Change::Deleted { .. })
            | Self::Host(Change::Current)
            | Self::Application(Change::Current)
            | Self::Component(Change::Current)
            | Self::Provider(Change::Current)
            | Self::Placement(Change::Current)
            | Self::Running(Change::Current)
            | Self::Progress(Change::Current) => {}
        }
    }
}

fn stored<R>(entry: Entry<R>) -> Stored<R> {
    Stored { record: entry.record, revision: entry.revision }
}

/// The n-th token of a key: what it is about.
fn token(key: &str, n: usize) -> Option<&str> {
    key.split('.').nth(n)
}

fn object(token: &str) -> Option<ObjectId> {
    ObjectId::from_token(token).ok()
}

fn process(token: &str) -> Option<ProcessId> {
    token.parse().ok()
}
