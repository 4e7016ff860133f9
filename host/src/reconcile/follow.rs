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
        // A key that names nothing was written by nobody who follows the schema: it is left alone.
        _ = self.try_tell(reconciler);
    }

    fn try_tell(self, reconciler: &mut Reconciler) -> Option<()> {
        match self {
            Self::Host(change) => match record(change)? {
                // Whoever finds that a host is lost marks its record: until then it lives.
                (_, Some(host)) if host.record.lost_at.is_none() => reconciler.host(host.record),
                (key, _) => reconciler.host_gone(process(&key, 1)?),
            },
            Self::Application(change) => {
                let (key, application) = record(change)?;
                reconciler.application(token(&key, 1)?, token(&key, 2)?, application);
            }
            Self::Component(change) => {
                let (key, component) = record(change)?;
                reconciler.component(&object(&key, 1)?, component);
            }
            Self::Provider(change) => {
                let (key, provider) = record(change)?;
                reconciler.provider(&object(&key, 1)?, provider);
            }
            Self::Placement(change) => {
                let (key, placement) = record(change)?;
                reconciler.placement(&object(&key, 2)?, process(&key, 1)?, placement);
            }
            Self::Running(change) => {
                let (key, running) = record(change)?;
                let running = running.map(|stored| stored.record);
                reconciler.running(&object(&key, 1)?, process(&key, 2)?, running);
            }
            Self::Progress(change) => reconciler.progress(record(change)?.1?.record),
        }
        Some(())
    }
}

/// The key that changed, and what is there now.
fn record<R>(change: Change<R>) -> Option<(String, Option<Stored<R>>)> {
    match change {
        Change::Put(Entry { key, record, revision }) => {
            Some((key, Some(Stored { record, revision })))
        }
        Change::Deleted { key } => Some((key, None)),
        Change::Current => None,
    }
}

/// The n-th token of a key: what it is about.
fn token(key: &str, n: usize) -> Option<&str> {
    key.split('.').nth(n)
}

fn object(key: &str, n: usize) -> Option<ObjectId> {
    ObjectId::from_token(token(key, n)?).ok()
}

fn process(key: &str, n: usize) -> Option<ProcessId> {
    token(key, n)?.parse().ok()
}
