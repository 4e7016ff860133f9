//! All links that lead away from one provider. Each revision is opened once, before the one that it replaces is stopped,
//! so that nothing in between goes unheard.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::OnceCell;
use tracing::warn;
use wicker_lattice::call::{Call, Invocation, Invoke, LinkRef};
use wicker_lattice::id::ObjectId;
use wicker_lattice::link::Binding;
use wicker_lattice::secret::SecretSource;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Link, Scope};
use wicker_lattice::weighted::Weighted;
use wicker_process::Tasks;

use crate::client::Client;
use crate::error::{LinkFailure, ProviderError};
use crate::link::LinkRecord;
use crate::outlet::Outlet;
use crate::provider::Provider;
use crate::secrets::{self, Used};

/// How long calls that are under way through such links may take when the provider drains.
const DRAIN_GRACE: Duration = Duration::from_secs(30);

/// All such links of one provider.
pub(crate) struct Outlets {
    source: ObjectId,
    calls: Arc<dyn Invoke>,
    secrets: Arc<dyn SecretSource>,
    tasks: Tasks,
    known: Mutex<HashMap<(Scope, String), Known>>,
}

/// The newest that was heard of one link.
struct Known {
    revision: u64,
    /// `None`: it is gone.
    current: Option<Arc<Opened>>,
}

/// One revision.
pub(crate) struct Opened {
    record: LinkRecord,
    tasks: Tasks,
    is_open: OnceCell<()>,
    failure: Mutex<Option<String>>,
    /// What it was opened with, and by which start of the provider.
    used: Mutex<(Used, u64)>,
    replaced: Mutex<Option<Arc<Opened>>>,
}

impl Outlets {
    pub(crate) fn new(
        source: ObjectId,
        calls: Arc<dyn Invoke>,
        secrets: Arc<dyn SecretSource>,
        tasks: Tasks,
    ) -> Self {
        Self { source, calls, secrets, tasks, known: Mutex::default() }
    }

    /// Whether `link` is one.
    pub(crate) fn owns(&self, link: &Link) -> bool {
        link.source == self.source
    }

    /// Notes a revision; `None` where a newer one is known.
    pub(crate) fn note(&self, record: LinkRecord) -> Option<Arc<Opened>> {
        let name = (record.link.scope.clone(), record.link.name.clone());
        let mut links = self.lock();
        let known = links.entry(name).or_insert(Known { revision: 0, current: None });
        if record.revision < known.revision {
            return None;
        }
        if let Some(current) = &known.current
            && current.record.revision == record.revision
        {
            return Some(Arc::clone(current));
        }
        Some(self.replace(known, record))
    }

    fn replace(&self, known: &mut Known, record: LinkRecord) -> Arc<Opened> {
        let opened = Arc::new(Opened {
            tasks: self.tasks.child(),
            is_open: OnceCell::new(),
            failure: Mutex::new(None),
            used: Mutex::default(),
            replaced: Mutex::new(known.current.take()),
            record,
        });
        known.revision = opened.record.revision;
        known.current = Some(Arc::clone(&opened));
        opened
    }

    /// Opens anew what was opened with other secrets than there are now, or by an earlier start of the provider.
    pub(crate) async fn renew<P: Provider>(&self, (provider, start): (&P, u64)) {
        for stale in self.current().into_iter().filter(|opened| self.is_stale(opened, start)) {
            let fresh = {
                let name = (stale.record.link.scope.clone(), stale.record.link.name.clone());
                let mut links = self.lock();
                let known = links.get_mut(&name);
                let is_it = |known: &&mut Known| {
                    known.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &stale))
                };
                known.filter(is_it).map(|known| self.replace(known, stale.record.clone()))
            };
            if let Some(fresh) = fresh
                && let Err(failure) = self.open((provider, start), &fresh).await
            {
                warn!(provider = %self.source, error = &failure as &dyn Error, "link not opened");
            }
        }
    }

    fn is_stale(&self, opened: &Opened, start: u64) -> bool {
        let used = opened.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = secrets::of_link(&opened.record.link, self.secrets.as_ref());
        opened.is_open.initialized() && (used.1 != start || now.is_ok_and(|(_, now)| now != used.0))
    }

    /// Notes that a link is gone since `revision`, and stops what works for it.
    pub(crate) fn remove(&self, scope: &Scope, name: &str, revision: u64) {
        let mut links = self.lock();
        let gone = Known { revision, current: None };
        let known = links.entry((scope.clone(), name.to_owned())).or_insert(gone);
        if revision >= known.revision {
            known.revision = revision;
            if let Some(opened) = known.current.take() {
                opened.stop();
            }
        }
    }

    /// Opens a revision if nobody has.
    pub(crate) async fn open<P: Provider>(
        &self,
        (provider, start): (&P, u64),
        opened: &Opened,
    ) -> Result<(), LinkFailure> {
        let open = || async {
            let (settings, used) = secrets::of_link(&opened.record.link, self.secrets.as_ref())?;
            *opened.used.lock().unwrap_or_else(PoisonError::into_inner) = (used, start);
            provider.feed(self.outlet(opened, settings)).await
        };
        let outcome = opened.is_open.get_or_try_init(open).await.err();
        if let Some(replaced) = opened.take_replaced() {
            replaced.stop();
        }
        let is_final = matches!(outcome, Some(ProviderError::Config(_)));
        let used = opened.used.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let cause = outcome.map(|error| used.redact(error.chain()));
        opened.failure.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&cause);
        cause.map_or(Ok(()), |cause| {
            let scope = opened.record.link.scope.as_str().to_owned();
            Err(LinkFailure { source_id: self.source.clone(), scope, cause, is_final })
        })
    }

    fn outlet(&self, opened: &Opened, settings: BTreeMap<String, String>) -> Outlet {
        let LinkRecord { link, revision } = opened.record.clone();
        let name = LinkRef { name: link.name.as_str().into(), revision };
        let (target, invoke) = (link.target.clone(), self.calls_of(&link));
        let client = Client::new(self.source.clone(), Binding { target, link: name, invoke });
        let client = match link.timeout_ms {
            Some(timeout) => client.with_timeout(Duration::from_millis(timeout)),
            None => client,
        };
        Outlet { link, client, tasks: opened.tasks.clone(), settings }
    }

    /// What calls through `link` go through: where targets share them, each call goes to one by its weight.
    fn calls_of(&self, link: &Link) -> Arc<dyn Invoke> {
        let calls = Arc::clone(&self.calls);
        let shares = link.split.iter().map(|share| (share.target.clone(), share.weight));
        match Weighted::new(shares) {
            Some(targets) => Arc::new(Shared { targets, calls }),
            None => calls,
        }
    }

    /// Those that should be open and are not.
    pub(crate) fn failing(&self) -> Vec<Arc<Opened>> {
        self.current().into_iter().filter(|opened| opened.failure().is_some()).collect()
    }

    /// Asks everything to stop, and waits for the calls under way.
    pub(crate) async fn drain(&self) {
        let current = self.current();
        join_all(current.iter().map(|opened| opened.tasks.drain(DRAIN_GRACE))).await;
    }

    fn current(&self) -> Vec<Arc<Opened>> {
        self.lock().values().filter_map(|known| known.current.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Scope, String), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls that several targets share.
struct Shared {
    targets: Weighted<ObjectId>,
    calls: Arc<dyn Invoke>,
}

impl Invoke for Shared {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        call.target = self.targets.pick().clone();
        self.calls.invoke(call)
    }
}

impl Opened {
    /// Why it is not open, if it should be and is not.
    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key of its record, and the same.
    pub(crate) fn failing(&self) -> Option<(String, String)> {
        Some((self.record.link.key(), self.failure()?))
    }

    /// The same, for people.
    pub(crate) fn trouble(&self) -> Option<String> {
        let Link { target, name, .. } = &self.record.link;
        Some(format!("link `{name}` to {target}: {}", self.failure()?))
    }

    fn stop(&self) {
        self.tasks.stop();
        if let Some(replaced) = self.take_replaced() {
            replaced.stop();
        }
    }

    fn take_replaced(&self) -> Option<Arc<Self>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Outlets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlets").field("source", &self.source).finish_non_exhaustive()
    }
}
