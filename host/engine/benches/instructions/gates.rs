//! What is counted.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use wicker_engine::http::Incoming;
use wicker_engine::log::NoLog;
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig};
use wicker_lattice::call::{Call, Invoke, LinkRef};
use wicker_lattice::frame::{Frame, Outcome, Reply, Request as RequestFrame, Value};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::{Binding, Links};
use wicker_lattice::types::TypeHash;
use wicker_lattice::value::encode;

use crate::guest;

/// One thing that is done many times.
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) times: u32,
    /// Whether it loads a component.
    pub(crate) needs_artifact: bool,
    pub(crate) run: fn(u32, &Path),
}

pub(crate) const GATES: &[Gate] = &[
    pure("frame: encode a request", encode_request),
    pure("frame: decode a request", decode_request),
    pure("frame: encode and decode a reply", reply_both_ways),
    // So many that making 10,000 links weighs nothing.
    Gate { times: 1_000_000, needs_artifact: true, ..pure("link: find one of 10,000", find_link) },
    guest("call: add(u32, u32) over a link, warm", 2000, |times, cache| {
        calls(times, cache, ("add", 1))
    }),
    guest("call: add(u32, u32) over a link, fresh", 500, |times, cache| {
        calls(times, cache, ("add", 0))
    }),
    guest("call: 100 records both ways, warm", 100, |times, cache| {
        calls(times, cache, ("turn", 1))
    }),
    guest("HTTP: a request, warm", 300, |times, cache| requests(times, cache, 1)),
    guest("HTTP: a request, fresh", 200, |times, cache| requests(times, cache, 0)),
];

const fn pure(name: &'static str, run: fn(u32, &Path)) -> Gate {
    Gate { name, times: 2000, needs_artifact: false, run }
}

const fn guest(name: &'static str, times: u32, run: fn(u32, &Path)) -> Gate {
    Gate { name, times, needs_artifact: true, run }
}

fn request_frame() -> RequestFrame {
    RequestFrame {
        type_hash: TypeHash([7; 8]),
        call: CallId::generate(),
        budget_ms: 10_000,
        credit: 256 << 10,
        source: "default/counter/counter".parse().unwrap(),
        link: "default".into(),
        link_revision: 42,
        trace: None,
        fence: None,
        heads: Vec::new(),
        params: Value::Whole(Bytes::from_static(&[7; 64])),
    }
}

fn encode_request(times: u32, _cache: &Path) {
    let request = request_frame();
    for _ in 0..times {
        black_box(black_box(&request).encode());
    }
}

fn decode_request(times: u32, _cache: &Path) {
    let message = request_frame().encode();
    for _ in 0..times {
        black_box(RequestFrame::decode(black_box(&message).clone()).unwrap());
    }
}

fn reply_both_ways(times: u32, _cache: &Path) {
    for _ in 0..times {
        let results = Value::Whole(Bytes::from_static(&[7; 64]));
        let outcome = Outcome::Results { heads: Vec::new(), results };
        let message = Frame::Reply(Reply { load: 7, outcome }).encode();
        black_box(Frame::decode(black_box(message)).unwrap());
    }
}

fn find_link(times: u32, cache: &Path) {
    let runtime = runtime();
    let nobody: Arc<dyn Invoke> = runtime.block_on(greeter(cache, 0));
    let key = |n: u32| -> InterfaceKey { format!("test:links/i{n}@1.0.0").parse().unwrap() };
    let bindings: HashMap<InterfaceKey, Binding> =
        (0..10_000).map(|n| (key(n), binding(&nobody))).collect();
    let links = Links::new(bindings);
    let (source, wanted) = (ObjectId::bare("source").unwrap(), key(5_000));
    for _ in 0..times {
        black_box(links.resolve(black_box(&source), black_box(&wanted)).unwrap());
    }
}

fn binding(invoke: &Arc<dyn Invoke>) -> Binding {
    Binding {
        target: ObjectId::bare("callee").unwrap(),
        link: LinkRef { name: "default".into(), revision: 0 },
        invoke: Arc::clone(invoke),
    }
}

const WIT: &str = "
    interface inner {
        record item { name: string, count: u32, tags: option<list<u16>> }
        add: func(a: u32, b: u32) -> u32;
        turn: func(items: list<item>) -> list<item>;
    }
    interface outer {
        add: func(calls: u32);
        turn: func(calls: u32);
    }
";

/// Calls `inner` in a loop; records lie in its memory as zeroes, so each has an empty name and no tags.
fn caller() -> Bytes {
    let wit = format!("package test:gate; {WIT} world w {{ import inner; export outer; }}");
    let core = r#"
        (import "test:gate/inner" "add" (func $add (param i32 i32) (result i32)))
        (import "test:gate/inner" "turn" (func $turn (param i32 i32 i32)))
        (func $start (result i32) (global.get $top))
        (func (export "test:gate/outer#add") (param i32)
            (block $done
                (loop $more
                    (br_if $done (i32.eqz (local.get 0)))
                    (drop (call $add (i32.const 20) (i32.const 22)))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br $more))))
        (func (export "test:gate/outer#turn") (param i32)
            (local $items i32) (local $top i32)
            (local.set $items
                (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 2400)))
            (local.set $top (global.get $top))
            (block $done
                (loop $more
                    (br_if $done (i32.eqz (local.get 0)))
                    (call $turn (local.get $items) (i32.const 100) (i32.const 16))
                    (global.set $top (local.get $top))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br $more))))
    "#;
    guest::component(&wit, core)
}

fn callee() -> Bytes {
    let wit = format!("package test:gate; {WIT} world w {{ export inner; }}");
    let core = r#"
        (func (export "test:gate/inner#add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
        (func (export "test:gate/inner#turn") (param i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0))
            (i32.store (i32.const 20) (local.get 1))
            (global.set $top (i32.const 1024))
            (i32.const 16))
    "#;
    guest::component(&wit, core)
}

/// Two components on one host, the first calling the second.
fn calls(times: u32, cache: &Path, (function, warm): (&str, usize)) {
    runtime().block_on(async {
        let engine = engine(cache);
        let callee: Arc<dyn Invoke> = actor(&engine, callee(), warm, Links::default()).await;
        let key = "test:gate/inner".parse().unwrap();
        let links = Links::new(HashMap::from([(key, binding(&callee))]));
        let caller = actor(&engine, caller(), 1, links).await;
        let exports = caller.program().world().exports.values().next().unwrap();
        let call = Call {
            id: CallId::generate(),
            target: caller.config().id.clone(),
            source: caller.config().id.clone(),
            link: LinkRef { name: "default".into(), revision: 0 },
            interface: "test:gate/outer".parse().unwrap(),
            function: function.into(),
            type_hash: exports[function].hash(),
            deadline: (Instant::now() + DEADLINE).into(),
            trace: None,
            fence: None,
            params: encode(&times),
            streams: Vec::new(),
        };
        caller.invoke(call).await.unwrap();
    });
}

/// A component that answers HTTP.
async fn greeter(cache: &Path, warm: usize) -> Arc<Actor> {
    let wasm = std::fs::read(artifacts::guest("http-hello")).unwrap();
    actor(&engine(cache), wasm.into(), warm, Links::default()).await
}

fn requests(times: u32, cache: &Path, warm: usize) {
    runtime().block_on(async {
        let greeter = greeter(cache, warm).await;
        for _ in 0..times {
            let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).unwrap();
            let response = greeter.http(request, Incoming::default()).await.unwrap();
            black_box(response.into_body().collect().await.unwrap());
        }
    });
}

/// Valgrind makes everything some fifty times as slow.
const DEADLINE: Duration = Duration::from_secs(600);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// With room for few instances: valgrind has little address space.
fn engine(cache: &Path) -> Engine {
    let config =
        EngineConfig { cache: Some(cache.into()), instances: 2, ..EngineConfig::default() };
    Engine::new(config).unwrap()
}

async fn actor(engine: &Engine, wasm: Bytes, warm: usize, links: Links) -> Arc<Actor> {
    let program = engine.load(wasm).await.unwrap();
    let mut config = ActorConfig::new(ObjectId::bare("guest").unwrap(), Arc::new(NoLog));
    config.warm = warm;
    config.limits.deadline = DEADLINE;
    Actor::new(engine, program, config, Arc::new(links)).unwrap()
}
