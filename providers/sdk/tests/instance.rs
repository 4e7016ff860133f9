//! A provider in this process: links open and close, calls are bounded, and nothing that a provider does hurts more
//! than the call that asked for it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde::Deserialize;
use tokio::sync::Semaphore;
use wicker_provider::lattice::call::{CallError, Class, LinkRef, Status};
use wicker_provider::lattice::id::ObjectId;
use wicker_provider::lattice::interface::InterfaceKey;
use wicker_provider::lattice::link::Binding;
use wicker_provider::lattice::store::record::{Link, Scope};
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Client, Environment, Health, Interfaces, LinkRecord, LinkSource, LinkSourceError,
    Provider, ProviderError, ProviderInstance, ProviderStart, Sharing,
};

wicker_provider::bindgen!({
    inline: "package demo:lamp; interface lamp { wait: func(ms: u64) -> string; who: func() -> string; break-down: func(); }",
    interfaces: ["demo:lamp/lamp"],
});

/// What the providers of these tests have seen; each is configured with the number of its own.
static ALL: Mutex<Vec<Arc<Seen>>> = Mutex::new(Vec::new());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    seen: usize,
}

/// What the provider of one test has seen.
struct Seen {
    opened: AtomicU32,
    closed: AtomicU32,
    is_down: AtomicBool,
    /// Calls of `wait(0)` that may go on.
    go_on: Semaphore,
}

impl Default for Seen {
    fn default() -> Self {
        let (opened, closed, is_down) =
            (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        Self { opened, closed, is_down, go_on: Semaphore::new(0) }
    }
}

struct Lamps(Arc<Seen>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkConfig {
    name: String,
    #[serde(default)]
    broken: bool,
}

struct Lamp {
    seen: Arc<Seen>,
    name: String,
}

impl Drop for Lamp {
    fn drop(&mut self) {
        self.seen.closed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Provider for Lamps {
    const IMPLEMENTATION: &'static str = "lamps";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Lamp;

    fn interfaces() -> Interfaces<Lamp> {
        Interfaces::new().with(lamp::serve())
    }

    async fn start(config: Config, _environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self(Arc::clone(&ALL.lock().unwrap()[config.seen])))
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Lamp, ProviderError> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        if config.broken {
            return Err(ProviderError::backend("cannot light the lamp", "no bulb"));
        }
        Ok(Lamp { seen: Arc::clone(&self.0), name: config.name })
    }

    async fn health(&self) -> Result<(), ProviderError> {
        match self.0.is_down.load(Ordering::SeqCst) {
            true => Err(ProviderError::backend("no current", "the grid is down")),
            false => Ok(()),
        }
    }
}

impl lamp::Lamp for Lamp {
    async fn wait(&self, ms: u64) -> String {
        if ms == 0 {
            self.seen.go_on.acquire().await.unwrap().forget();
        } else {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        self.name.clone()
    }

    async fn who(&self) -> String {
        self.name.clone()
    }

    async fn break_down(&self) {
        panic!("no bulb");
    }
}

/// The lattice's links, as far as this test wrote any.
#[derive(Default)]
struct Written {
    links: Mutex<HashMap<ObjectId, LinkRecord>>,
    reads: AtomicU32,
}

impl LinkSource for Written {
    fn read<'a>(
        &'a self,
        source: &'a ObjectId,
        _interface: &'a InterfaceKey,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let found = self.links.lock().unwrap().get(source).cloned();
        async move { Ok(found) }.boxed()
    }
}

struct Room {
    instance: Arc<dyn ProviderInstance>,
    seen: Arc<Seen>,
    written: Arc<Written>,
}

fn id(name: &str) -> ObjectId {
    ObjectId::bare(name).unwrap()
}

fn record(source: &str, target: &str, revision: u64, config: &[(&str, &str)]) -> LinkRecord {
    let config: BTreeMap<_, _> =
        config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let scope = Scope::Package("demo:lamp".parse().unwrap());
    let (source, target, name) = (id(source), id(target), "default".to_owned());
    let link = Link {
        source,
        scope,
        name,
        target,
        secrets: Default::default(),
        config,
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    };
    LinkRecord { link, revision }
}

impl Room {
    async fn new(mut config: serde_json::Value) -> Self {
        let (seen, written) = (Arc::new(Seen::default()), Arc::new(Written::default()));
        let number = {
            let mut all = ALL.lock().unwrap();
            all.push(Arc::clone(&seen));
            all.len() - 1
        };
        config["seen"] = number.into();
        let environment = Environment {
            lattice: "test".to_owned(),
            id: id("lamps"),
            process: wicker_provider::lattice::id::ProcessId::generate(),
            data_dir: std::path::PathBuf::new(),
            nats: None,
            tasks: wicker_process::Tasks::default(),
        };
        let (links, calls) = (Arc::clone(&written) as _, Arc::new(NoLinkSource));
        let start = ProviderStart { environment, config, links, calls };
        let instance = Builtin::of::<Lamps>().start(start).await.unwrap();
        Self { instance, seen, written }
    }

    async fn apply(&self, source: &str, revision: u64, name: &str) {
        self.instance
            .apply_link(record(source, "lamps", revision, &[("name", name)]))
            .await
            .unwrap();
    }

    fn write(&self, record: LinkRecord) {
        self.written.links.lock().unwrap().insert(record.link.source.clone(), record);
    }

    /// A caller that has read `revision` of its link.
    fn caller(&self, source: &str, revision: u64) -> lamp::Client {
        let link = LinkRef { name: "default".into(), revision };
        let invoke = Arc::clone(&self.instance) as _;
        lamp::Client::new(Client::new(id(source), Binding { target: id("lamps"), link, invoke }))
    }

    fn opened(&self) -> u32 {
        self.seen.opened.load(Ordering::SeqCst)
    }

    fn closed(&self) -> u32 {
        self.seen.closed.load(Ordering::SeqCst)
    }
}

fn status(result: Result<String, CallError>) -> Status {
    result.unwrap_err().status
}

#[tokio::test]
async fn link_is_opened_once_for_all_its_calls() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    room.apply("desk", 3, "left").await;
    let caller = room.caller("desk", 3);
    let answers = join_all((0..20).map(|_| caller.who())).await;
    assert!(answers.into_iter().all(|answer| answer == Ok("left".to_owned())));
    assert_eq!((room.opened(), room.closed()), (1, 0));
}

#[tokio::test]
async fn each_source_has_its_own_link() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    room.apply("door", 4, "right").await;
    assert_eq!(room.caller("desk", 3).who().await.unwrap(), "left");
    assert_eq!(room.caller("door", 4).who().await.unwrap(), "right");
}

#[tokio::test]
async fn new_revision_opens_anew_while_the_old_one_finishes() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "old").await;
    let caller = room.caller("desk", 3);
    let mut under_way = std::pin::pin!(caller.wait(0));
    assert!(futures::poll!(&mut under_way).is_pending());
    room.apply("desk", 5, "new").await;
    assert_eq!(room.caller("desk", 5).who().await.unwrap(), "new");
    assert_eq!(room.caller("desk", 3).who().await.unwrap(), "old");
    room.seen.go_on.add_permits(1);
    assert_eq!(under_way.await.unwrap(), "old");
    assert_eq!(room.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn link_that_is_gone_is_closed_when_nobody_can_hold_it_any_more() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    room.instance.remove_link(
        &id("desk"),
        &Scope::Package("demo:lamp".parse().unwrap()),
        "default",
        3,
    );
    assert_eq!(room.caller("desk", 3).who().await.unwrap(), "left");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(room.closed(), 1);
    let error = room.caller("desk", 3).who().await.unwrap_err();
    assert_eq!(error.status, Status::Denied);
    assert!(
        error.message.contains("wicker link set default/desk/desk demo:lamp default/lamps/lamps"),
        "{error}"
    );
}

#[tokio::test]
async fn call_with_an_unknown_revision_makes_the_link_be_read_once() {
    let room = Room::new(serde_json::Value::Null).await;
    room.write(record("desk", "lamps", 9, &[("name", "read")]));
    let caller = room.caller("desk", 9);
    let answers = join_all((0..100).map(|_| caller.who())).await;
    assert!(answers.into_iter().all(|answer| answer == Ok("read".to_owned())));
    assert_eq!((room.opened(), room.written.reads.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn store_that_lags_is_read_until_it_shows_what_the_caller_saw() {
    let room = Room::new(serde_json::Value::Null).await;
    room.write(record("desk", "lamps", 3, &[("name", "old")]));
    let caller = room.caller("desk", 5);
    let mut call = std::pin::pin!(caller.who());
    assert!(futures::poll!(&mut call).is_pending());
    room.write(record("desk", "lamps", 5, &[("name", "new")]));
    assert_eq!(call.await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_link_ends_with_the_call() {
    let room = Room::new(serde_json::Value::Null).await;
    room.write(record("desk", "lamps", 3, &[("name", "old")]));
    assert_eq!(status(room.caller("desk", 5).who().await), Status::Deadline);
}

#[tokio::test]
async fn caller_without_a_link_here_is_denied() {
    let room = Room::new(serde_json::Value::Null).await;
    room.write(record("desk", "candles", 9, &[("name", "x")]));
    assert_eq!(status(room.caller("desk", 9).who().await), Status::Denied);
    assert_eq!(status(room.caller("door", 0).who().await), Status::Denied);
    assert_eq!(room.opened(), 0);
}

#[tokio::test]
async fn link_whose_config_is_wrong_is_refused_at_once() {
    let room = Room::new(serde_json::Value::Null).await;
    let failure = room.instance.apply_link(record("desk", "lamps", 3, &[])).await.unwrap_err();
    assert!(failure.is_final, "{failure}");
    let error = room.caller("desk", 3).who().await.unwrap_err();
    assert_eq!((error.status, error.message), (Status::Denied, failure.to_string()));
}

#[tokio::test]
async fn link_that_cannot_be_opened_fails_typed_and_shows() {
    let room = Room::new(serde_json::Value::Null).await;
    let broken = record("desk", "lamps", 3, &[("name", "x"), ("broken", "true")]);
    let failure = room.instance.apply_link(broken).await.unwrap_err();
    let text =
        "cannot open the link of default/desk/desk for demo:lamp: cannot light the lamp: no bulb";
    assert_eq!(failure.to_string(), text);
    let error = room.caller("desk", 3).who().await.unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (Status::Unavailable, text));
    assert_eq!(error.class(), Class::NotExecuted);
    assert!(
        matches!(room.instance.health().await, Health::Degraded(why) if why.contains("no bulb"))
    );
    let unreadable = record("desk", "lamps", 4, &[("nam", "x")]);
    let failure = room.instance.apply_link(unreadable).await.unwrap_err();
    assert!(failure.cause.contains("nam"), "{failure}");
    room.apply("desk", 5, "mended").await;
    assert_eq!(room.caller("desk", 5).who().await.unwrap(), "mended");
    assert_eq!(room.instance.health().await, Health::Ready);
}

#[tokio::test]
async fn calls_past_limit_and_queue_are_overloaded() {
    let limits = serde_json::json!({ "limits": { "concurrency": 10, "queue": 5 } });
    let room = Room::new(limits).await;
    room.apply("desk", 3, "left").await;
    let caller = room.caller("desk", 3);
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for mut call in (0..1_000).map(|_| Box::pin(caller.wait(0))) {
        match futures::poll!(call.as_mut()) {
            Poll::Pending => waiting.push(call),
            Poll::Ready(answer) => {
                assert_eq!(status(answer), Status::Overloaded);
                refused += 1;
            }
        }
    }
    assert_eq!((waiting.len(), refused), (15, 985));
    room.seen.go_on.add_permits(15);
    assert!(join_all(waiting).await.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test]
async fn panic_fails_its_call_and_no_other() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    let caller = room.caller("desk", 3);
    let error = caller.break_down().await.unwrap_err();
    assert_eq!(error.status, Status::Trapped);
    assert!(!error.message.contains("bulb"), "strangers are told too much: {error}");
    assert_eq!(caller.who().await.unwrap(), "left");
}

#[tokio::test(start_paused = true)]
async fn call_ends_with_its_deadline() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    assert_eq!(status(room.caller("desk", 3).wait(60_000).await), Status::Deadline);
}

#[tokio::test]
async fn drain_finishes_what_is_under_way_and_takes_no_more() {
    let room = Room::new(serde_json::Value::Null).await;
    room.apply("desk", 3, "left").await;
    let caller = room.caller("desk", 3);
    let mut under_way = std::pin::pin!(caller.wait(0));
    assert!(futures::poll!(&mut under_way).is_pending());
    let mut drained = room.instance.drain();
    assert!(futures::poll!(&mut drained).is_pending());
    assert_eq!(status(caller.who().await), Status::Draining);
    assert_eq!(room.closed(), 0);
    room.seen.go_on.add_permits(1);
    assert_eq!(under_way.await.unwrap(), "left");
    drained.await;
    assert_eq!(room.closed(), 1);
}

#[tokio::test]
async fn health_is_the_providers_own() {
    let room = Room::new(serde_json::Value::Null).await;
    assert_eq!(room.instance.health().await, Health::Ready);
    room.seen.is_down.store(true, Ordering::SeqCst);
    let why = "no current: the grid is down".to_owned();
    assert_eq!(room.instance.health().await, Health::Degraded(why));
}

#[tokio::test]
async fn config_that_cannot_be_read_does_not_start() {
    for config in [
        serde_json::json!({ "seen": 0, "unknown": 1 }),
        serde_json::json!({ "seen": 0, "limits": { "many": 1 } }),
        serde_json::json!([]),
    ] {
        let environment = Environment {
            lattice: "test".to_owned(),
            id: id("lamps"),
            process: wicker_provider::lattice::id::ProcessId::generate(),
            data_dir: std::path::PathBuf::new(),
            nats: None,
            tasks: wicker_process::Tasks::default(),
        };
        let links = Arc::new(Written::default());
        let calls = Arc::new(NoLinkSource);
        let start = ProviderStart { environment, config, links, calls };
        assert!(matches!(Builtin::of::<Lamps>().start(start).await, Err(ProviderError::Config(_))));
    }
}
