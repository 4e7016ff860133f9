//! Links that lead away from a provider: each revision is opened once, in order, and stopped when it is replaced or gone.

#![allow(clippy::unwrap_used, reason = "a test, and what only tests call, fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use wicker_lattice::call::{Call, Invocation, Invoke, Reply};
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Link, Scope};
use wicker_process::Tasks;
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Environment, Health, Interfaces, LinkRecord, NoConfig, Outlet, Provider,
    ProviderError, ProviderInstance, ProviderStart, Sharing,
};

wicker_provider::bindgen!({
    inline: "
        package demo:bell@1.0.0;
        interface bell { ring: func(times: u32); }
    ",
    interfaces: ["demo:bell/bell@1.0.0"],
});

/// What was fed, by provider, so that tests do not see each other's.
static FED: Mutex<Option<HashMap<ObjectId, Vec<Outlet>>>> = Mutex::new(None);

struct Clock(ObjectId);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    hours: u32,
}

impl Provider for Clock {
    const IMPLEMENTATION: &'static str = "clock";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = NoConfig;
    type LinkConfig = NoConfig;
    type Link = ();

    fn interfaces() -> Interfaces<()> {
        Interfaces::new().calling(bell::import())
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self(environment.id))
    }

    async fn link(&self, _link: &Link, _config: NoConfig) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        let Hours { hours } = outlet.config()?;
        bell::Client::new(outlet.client.clone())
            .ring(hours)
            .await
            .map_err(|error| ProviderError::backend("the bell is silent", error))?;
        FED.lock().unwrap().get_or_insert_default().entry(self.0.clone()).or_default().push(outlet);
        Ok(())
    }
}

/// Who is rung, and what by.
#[derive(Default)]
struct Bells(Mutex<Vec<(String, u64)>>);

impl Invoke for Bells {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        self.0.lock().unwrap().push((call.target.name().to_owned(), call.link.revision));
        Box::pin(async { Ok(Reply::default()) })
    }
}

struct Tower {
    id: ObjectId,
    instance: Arc<dyn ProviderInstance>,
    bells: Arc<Bells>,
}

impl Tower {
    async fn new(name: &str) -> Self {
        let (id, bells) = (ObjectId::bare(name).unwrap(), Arc::new(Bells::default()));
        let environment = Environment {
            lattice: "test".to_owned(),
            id: id.clone(),
            process: wicker_provider::lattice::id::ProcessId::generate(),
            data_dir: std::path::PathBuf::new(),
            nats: None,
            tasks: Tasks::default(),
        };
        let (links, calls) = (Arc::new(NoLinkSource), Arc::clone(&bells) as _);
        let start = ProviderStart { environment, config: serde_json::Value::Null, links, calls };
        let instance = Builtin::of::<Clock>().start(start).await.unwrap();
        Self { id, instance, bells }
    }

    fn record(&self, target: &str, revision: u64, hours: &str) -> LinkRecord {
        let link = Link {
            source: self.id.clone(),
            scope: Scope::Package("demo:bell@1".parse().unwrap()),
            name: "default".to_owned(),
            target: ObjectId::bare(target).unwrap(),
            secrets: Default::default(),
            config: [("hours".to_owned(), hours.to_owned())].into(),
            timeout_ms: None,
            idempotent: Vec::new(),
            split: Vec::new(),
        };
        LinkRecord { link, revision }
    }

    fn remove(&self, revision: u64) {
        let link = self.record("any", revision, "").link;
        self.instance.remove_link(&link.source, &link.scope, &link.name, revision);
    }

    fn rung(&self) -> Vec<(String, u64)> {
        self.bells.0.lock().unwrap().clone()
    }

    /// Of what was fed, in order: whether it is to go on.
    fn goes_on(&self) -> Vec<bool> {
        let fed = FED.lock().unwrap();
        let mine = fed.as_ref().and_then(|fed| fed.get(&self.id));
        mine.into_iter().flatten().map(|outlet| !outlet.tasks.is_stopping()).collect()
    }
}

fn rung(calls: &[(&str, u64)]) -> Vec<(String, u64)> {
    calls.iter().map(|(target, revision)| ((*target).to_owned(), *revision)).collect()
}

#[tokio::test]
async fn each_revision_is_fed_once_and_replaces_the_one_before() {
    let tower = Tower::new("replaces").await;
    let (first, second) = (tower.record("one", 3, "3"), tower.record("two", 5, "5"));
    tower.instance.apply_link(first.clone()).await.unwrap();
    tower.instance.apply_link(first.clone()).await.unwrap();
    assert_eq!((tower.rung(), tower.goes_on()), (rung(&[("one", 3)]), vec![true]));
    tower.instance.apply_link(second).await.unwrap();
    tower.instance.apply_link(first).await.unwrap();
    assert_eq!(tower.rung(), rung(&[("one", 3), ("two", 5)]));
    assert_eq!(tower.goes_on(), [false, true]);
}

#[tokio::test]
async fn link_that_is_gone_is_stopped_and_what_it_was_does_not_come_back() {
    let tower = Tower::new("gone").await;
    tower.instance.apply_link(tower.record("one", 3, "3")).await.unwrap();
    tower.remove(3);
    assert_eq!(tower.goes_on(), [false]);
    // Told out of order: it was gone before this was heard of.
    tower.remove(7);
    tower.instance.apply_link(tower.record("one", 6, "6")).await.unwrap();
    assert_eq!(tower.rung(), rung(&[("one", 3)]));
    tower.instance.apply_link(tower.record("one", 8, "8")).await.unwrap();
    assert_eq!(tower.goes_on(), [false, true]);
}

#[tokio::test]
async fn link_that_cannot_be_fed_shows_in_the_health_and_replaces_all_the_same() {
    let tower = Tower::new("fails").await;
    tower.instance.apply_link(tower.record("one", 3, "3")).await.unwrap();
    tower.instance.apply_link(tower.record("one", 4, "noon")).await.unwrap_err();
    let Health::Degraded(why) = tower.instance.health().await else {
        unreachable!("it is degraded")
    };
    assert!(why.contains("one") && why.contains("`hours`"), "{why}");
    assert_eq!(tower.goes_on(), [false]);
    tower.instance.apply_link(tower.record("one", 5, "5")).await.unwrap();
    assert_eq!(tower.instance.health().await, Health::Ready);
}

#[tokio::test]
async fn drain_stops_what_works_for_links() {
    let tower = Tower::new("drains").await;
    tower.instance.apply_link(tower.record("one", 3, "3")).await.unwrap();
    tower.instance.drain().await;
    assert_eq!(tower.goes_on(), [false]);
}

#[tokio::test]
async fn world_of_a_provider_says_what_it_calls() {
    let world = Builtin::of::<Clock>().world();
    let imports: Vec<String> = world.imports.keys().map(ToString::to_string).collect();
    assert_eq!(imports, ["demo:bell/bell@1.0.0"]);
    assert!(world.imports.values().all(|functions| functions.contains_key("ring")));
}
