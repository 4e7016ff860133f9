//! Time of one call from a component to another on the same host, through a link: lifted, carried, lowered, run, and
//! the same back.
//!
//! Method: a guest calls its import in a loop, so what is divided by the number of calls is the calls alone. Many
//! blocks, of which the fastest counts: on a shared machine the others say more about the neighbours.
//!
//! Run: `cargo bench -p wicker-engine --bench calls`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench prints its results, and ends when something is wrong"
)]
#![allow(dead_code, reason = "the guests of the tests can do more")]

#[path = "../../../../lattice/examples/rpc_latency/goal.rs"]
mod goal;
#[path = "../../tests/engine/guest.rs"]
mod guest;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wicker_engine::log::NoLog;
use wicker_engine::{Actor, ActorConfig, Codec, Engine, EngineConfig};
use wicker_lattice::call::{Call, Invoke, LinkRef};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::link::{Binding, Links};
use wicker_lattice::value::encode;

/// Calls a block.
const CALLS: u32 = 500;

/// Blocks a contestant.
const BLOCKS: u32 = 40;

const LIST_BYTES: u32 = 64 << 10;

const WIT: &str = "
    interface inner {
        add: func(a: u32, b: u32) -> u32;
        pass: func(bytes: list<u8>) -> list<u8>;
    }
    interface outer {
        add: func(calls: u32);
        pass: func(calls: u32);
    }
";

/// Calls `inner` in a loop. What a call allocates is freed after it.
fn caller() -> Bytes {
    let wit = format!("package test:bench; {WIT} world w {{ import inner; export outer; }}");
    let core = format!(
        r#"
        (import "test:bench/inner" "add" (func $add (param i32 i32) (result i32)))
        (import "test:bench/inner" "pass" (func $pass (param i32 i32 i32)))
        (func $start (result i32) (global.get $top))
        (func (export "test:bench/outer#add") (param i32)
            (loop $more
                (drop (call $add (i32.const 20) (i32.const 22)))
                (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $more)))
        (func (export "test:bench/outer#pass") (param i32)
            (local $list i32) (local $top i32)
            (local.set $list
                (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const {LIST_BYTES})))
            (local.set $top (global.get $top))
            (loop $more
                (call $pass (local.get $list) (i32.const {LIST_BYTES}) (i32.const 16))
                (global.set $top (local.get $top))
                (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $more)))
        "#
    );
    guest::component(&wit, &core)
}

fn callee() -> Bytes {
    let wit = format!("package test:bench; {WIT} world w {{ export inner; }}");
    let core = r#"
        (func (export "test:bench/inner#add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
        (func (export "test:bench/inner#pass") (param i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0))
            (i32.store (i32.const 20) (local.get 1))
            (global.set $top (i32.const 1024))
            (i32.const 16))
    "#;
    guest::component(&wit, core)
}

async fn actor(engine: &Engine, wasm: Bytes, warm: usize, links: Links) -> Arc<Actor> {
    let program = engine.load(wasm).await.unwrap();
    let mut config = ActorConfig::new(ObjectId::bare("guest").unwrap(), Arc::new(NoLog));
    config.warm = warm;
    config.limits.deadline = Duration::from_secs(600);
    Actor::new(engine, program, config, Arc::new(links)).unwrap()
}

async fn pair(engine: &Engine, warm: usize) -> Arc<Actor> {
    let callee = actor(engine, callee(), warm, Links::default()).await;
    let link = LinkRef { name: "default".into(), revision: 0 };
    let binding = Binding { target: callee.config().id.clone(), link, invoke: callee };
    let key = "test:bench/inner".parse().unwrap();
    actor(engine, caller(), 1, Links::new(HashMap::from([(key, binding)]))).await
}

/// The fastest block, microseconds a call.
async fn measure(actor: &Actor, function: &str) -> f64 {
    let exports = actor.program().world().exports.values().next().unwrap();
    let mut fastest = Duration::MAX;
    for _ in 0..BLOCKS {
        let call = Call {
            id: CallId::generate(),
            target: actor.config().id.clone(),
            source: actor.config().id.clone(),
            link: LinkRef { name: "default".into(), revision: 0 },
            interface: "test:bench/outer".parse().unwrap(),
            function: function.into(),
            type_hash: exports[function].hash(),
            deadline: (Instant::now() + Duration::from_secs(600)).into(),
            trace: None,
            fence: None,
            params: encode(&CALLS),
            streams: Vec::new(),
        };
        let start = Instant::now();
        actor.invoke(call).await.unwrap();
        fastest = fastest.min(start.elapsed());
    }
    fastest.as_secs_f64() * 1e6 / f64::from(CALLS)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config = |codec| EngineConfig { codec, instances: 100, ..EngineConfig::default() };
    let engine = Engine::new(config(Codec::Direct)).unwrap();
    println!("{}", engine.report());
    let (warm, fresh) = (pair(&engine, 1).await, pair(&engine, 0).await);
    for (pair, function, what, bound) in [
        (&warm, "add", "add(u32, u32), warm instance", 3.0),
        (&fresh, "add", "add(u32, u32), fresh instance", 12.0),
        (&warm, "pass", "list<u8> of 64 KiB, warm instance", 10.0),
        (&fresh, "pass", "list<u8> of 64 KiB, fresh instance", f64::INFINITY),
    ] {
        let micros = measure(pair, function).await;
        println!("{what:<34} {micros:8.2} us");
        if bound.is_finite() {
            let (what, figure) = (format!("local call, {what}"), format!("{micros:.1} µs"));
            goal::goal(&what, "engine", &figure, "", &format!("{bound} µs"), micros <= bound);
        }
    }
    let dynamic = Engine::new(config(Codec::Val)).unwrap();
    let dynamic = pair(&dynamic, 1).await;
    println!("add(u32, u32), warm, Val codec     {:8.2} us", measure(&dynamic, "add").await);
}
