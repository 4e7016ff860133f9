//! An engine for all tests, actors in it, and requests to them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use wicker_engine::http::{HttpBody, Incoming};
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig, LogLine, LogSink, Program};
use wicker_lattice::call::{CallError, Invoke, LinkRef};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::{Binding, Links};

/// Longer than anything takes that ends at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineConfig { instances: 100, ..EngineConfig::default() }).unwrap()
});

/// A guest by name, compiled once.
pub(crate) async fn program(name: &str) -> Arc<Program> {
    type Cell = Arc<OnceCell<Arc<Program>>>;
    static PROGRAMS: LazyLock<Mutex<HashMap<String, Cell>>> = LazyLock::new(Mutex::default);
    let cell = Arc::clone(PROGRAMS.lock().unwrap().entry(name.to_owned()).or_default());
    let load = async || {
        let name = name.to_owned();
        let path = tokio::task::spawn_blocking(move || artifacts::guest(&name)).await.unwrap();
        ENGINE.load(std::fs::read(path).unwrap().into()).await.unwrap()
    };
    Arc::clone(cell.get_or_init(load).await)
}

/// An actor, and its log.
pub(crate) struct Stage {
    pub(crate) actor: Arc<Actor>,
    pub(crate) log: Arc<Log>,
}

/// An actor of guest `name`, with links and settings of one's own.
pub(crate) async fn stage_with(
    name: &str,
    links: Links,
    set: impl FnOnce(&mut ActorConfig),
) -> Stage {
    let log = Arc::new(Log::default());
    let id = format!("default/tests/{name}").parse().unwrap();
    let mut config = ActorConfig::new(id, Arc::<Log>::clone(&log));
    set(&mut config);
    let actor = Actor::new(&ENGINE, program(name).await, config, Arc::new(links)).unwrap();
    Stage { actor, log }
}

/// An actor of guest `name`, with every default.
pub(crate) async fn stage(name: &str) -> Stage {
    stage_with(name, Links::default(), |_| {}).await
}

/// Links that lead `import` to `target`.
pub(crate) fn link(import: &str, target: Arc<dyn Invoke>) -> Links {
    let import: InterfaceKey = import.parse().unwrap();
    let link = LinkRef { name: "default".into(), revision: 1 };
    let target_id = "default/tests/target".parse().unwrap();
    Links::new(HashMap::from([(import, Binding { target: target_id, link, invoke: target })]))
}

impl Stage {
    /// Sends a request without a body.
    pub(crate) async fn get(&self, path: &str) -> Result<Response<HttpBody>, CallError> {
        let request =
            Request::get(path).header("host", "tests.example").body(Empty::<Bytes>::new());
        self.send(request.unwrap()).await
    }

    pub(crate) async fn send<B>(&self, request: Request<B>) -> Result<Response<HttpBody>, CallError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<wicker_engine::http::BoxError>>
            + Send
            + 'static,
    {
        let answer = self.actor.http(request, Incoming::default());
        timeout(PATIENCE, answer).await.expect("an answer in time")
    }

    /// The text that a request without a body is answered with.
    pub(crate) async fn text(&self, path: &str) -> String {
        text(self.get(path).await.unwrap()).await
    }
}

/// The whole body, as text.
pub(crate) async fn text(response: Response<HttpBody>) -> String {
    let body = timeout(PATIENCE, response.into_body().collect()).await.expect("a body in time");
    String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

/// Keeps all lines.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl LogSink for Log {
    fn write(&self, line: LogLine<'_>) {
        self.0.lock().unwrap().push(format!("{:?} {:?} {}", line.origin, line.level, line.text));
    }
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines hold `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }
}
