//! An engine, actors in it, and targets that tests make of closures.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wicker_engine::{Actor, ActorConfig, Codec, Engine, EngineConfig, LogLine, LogSink};
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, LinkRef, Reply};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::{Binding, Links};

/// The engine that all tests of one codec share.
pub(crate) fn engine(codec: Codec) -> &'static Engine {
    static DIRECT: LazyLock<Engine> = LazyLock::new(|| new_engine(Codec::Direct));
    static VAL: LazyLock<Engine> = LazyLock::new(|| new_engine(Codec::Val));
    match codec {
        Codec::Direct => &DIRECT,
        Codec::Val => &VAL,
    }
}

fn new_engine(codec: Codec) -> Engine {
    Engine::new(EngineConfig { codec, instances: 100, ..EngineConfig::default() }).unwrap()
}

/// What actors wrote.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

impl LogSink for Lines {
    fn write(&self, line: LogLine<'_>) {
        self.0.lock().unwrap().push(line.text.to_owned());
    }
}

impl Lines {
    pub(crate) fn hold(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.contains(text))
    }
}

pub(crate) fn id(name: &str) -> ObjectId {
    ObjectId::bare(name).unwrap()
}

/// An actor called `guest`, with the defaults that `change` does not change.
pub(crate) async fn actor(
    engine: &Engine,
    wasm: Bytes,
    links: Links,
    change: impl FnOnce(&mut ActorConfig),
) -> (Arc<Actor>, Arc<Lines>) {
    let lines = Arc::new(Lines::default());
    let program = engine.load(wasm).await.unwrap();
    let mut config = ActorConfig::new(id("guest"), Arc::clone(&lines) as Arc<dyn LogSink>);
    change(&mut config);
    (Actor::new(engine, program, config, Arc::new(links)).unwrap(), lines)
}

/// A call to `actor` of an exported function, in 10 seconds.
pub(crate) fn call(actor: &Actor, interface: &str, function: &str, params: Bytes) -> Call {
    let key: InterfaceKey = interface.parse().unwrap();
    let exports = &actor.program().world().exports;
    let functions = exports.iter().find(|(name, _)| name.key() == key).map(|(_, found)| found);
    Call {
        id: CallId::generate(),
        target: actor.config().id.clone(),
        source: id("caller"),
        link: LinkRef { name: "default".into(), revision: 0 },
        type_hash: functions.unwrap()[function].hash(),
        interface: key,
        function: function.into(),
        deadline: Instant::now() + Duration::from_secs(10),
        trace: None,
        fence: None,
        params,
        streams: Vec::new(),
    }
}

/// Links that lead each of `interfaces` to `target`.
pub(crate) fn links(interfaces: &[&str], target: Arc<dyn Invoke>) -> Links {
    let bindings = interfaces.iter().map(|interface| {
        let link = LinkRef { name: "default".into(), revision: 1 };
        let binding = Binding { target: id("target"), link, invoke: Arc::clone(&target) };
        (interface.parse().unwrap(), binding)
    });
    Links::new(bindings.collect::<HashMap<_, _>>())
}

/// A target made of a closure.
pub(crate) struct Target<F>(pub(crate) F);

impl<F, A> Invoke for Target<F>
where
    F: Fn(Call) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Reply, CallError>> + Send + 'static,
{
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin((self.0)(call))
    }
}

impl<F> fmt::Debug for Target<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}

/// A target that answers with what it was given.
pub(crate) fn echo() -> Arc<dyn Invoke> {
    Arc::new(Target(|call: Call| async move {
        Ok(Reply { results: call.params, streams: call.streams })
    }))
}

/// A target that answers with `results`.
pub(crate) fn answers(results: &'static [u8]) -> Arc<dyn Invoke> {
    Arc::new(Target(move |_| async move {
        Ok(Reply { results: Bytes::from_static(results), streams: Vec::new() })
    }))
}

/// Waits for `condition`, ten seconds at most.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
