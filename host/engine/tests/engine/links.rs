//! Imports lead wherever the links of the call being served point.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use wicker_engine::{Actor, Codec, LoadError};
use wicker_lattice::call::{Call, CallError, Invoke, Reply, Status};
use wicker_lattice::link::Links;

use crate::guest::{component, passthrough};
use crate::harness::{Target, actor, answers, call, engine, id, links};

const INNER: &str = "test:echo/inner";

/// A guest whose `twice` calls `test:echo/inner.get` two times and adds up.
fn twice() -> Bytes {
    component(
        "package test:echo;
         interface inner { get: func() -> u32; }
         interface outer { twice: func() -> u32; }
         world w { import inner; export outer; }",
        r#"(import "test:echo/inner" "get" (func $get (result i32)))
           (func (export "test:echo/outer#twice") (result i32) (i32.add (call $get) (call $get)))"#,
    )
}

async fn send(actor: &Actor, function: &str, params: &'static [u8]) -> Result<Bytes, CallError> {
    let call = call(actor, "test:echo/outer", function, Bytes::from_static(params));
    actor.invoke(call).await.map(|reply| reply.results)
}

/// Answers `results` once it is let.
fn gated(results: &'static [u8], started: Arc<Notify>, gate: Arc<Notify>) -> Arc<dyn Invoke> {
    Arc::new(Target(move |_| {
        let (started, gate) = (Arc::clone(&started), Arc::clone(&gate));
        async move {
            started.notify_one();
            gate.notified().await;
            Ok(Reply { results: Bytes::from_static(results), streams: Vec::new() })
        }
    }))
}

#[tokio::test]
async fn a_call_keeps_the_links_it_began_with() {
    let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let old = gated(b"\x01", Arc::clone(&started), Arc::clone(&gate));
    let (actor, _) = actor(engine(Codec::Direct), twice(), links(&[INNER], old), |_| {}).await;
    let meanwhile = async {
        started.notified().await;
        actor.set_links(Arc::new(links(&[INNER], answers(b"\x64"))));
        assert_eq!(send(&actor, "twice", b"").await.unwrap(), b"\xc8\x01".as_slice());
        gate.notify_one();
        started.notified().await;
        gate.notify_one();
    };
    let (before, ()) = tokio::join!(send(&actor, "twice", b""), meanwhile);
    assert_eq!(before.unwrap(), b"\x02".as_slice());
}

#[tokio::test]
async fn calls_inherit_deadline_and_trace_and_name_their_source() {
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let target: Arc<dyn Invoke> = Arc::new(Target(move |call: Call| {
        *keep.lock().unwrap() = Some(call);
        async { Ok(Reply { results: Bytes::from_static(b"\x01"), streams: Vec::new() }) }
    }));
    let (actor, _) = actor(engine(Codec::Direct), twice(), links(&[INNER], target), |config| {
        config.limits.deadline = Duration::from_secs(3600);
    })
    .await;
    let mut call = call(&actor, "test:echo/outer", "twice", Bytes::new());
    let trace = wicker_lattice::call::TraceContext { trace_id: [1; 16], span_id: [2; 8], flags: 1 };
    call.trace = Some(trace);
    let deadline = call.deadline;
    actor.invoke(call).await.unwrap();
    let seen = seen.lock().unwrap().take().unwrap();
    assert_eq!((seen.deadline, seen.trace), (deadline, Some(trace)));
    assert_eq!((seen.source, seen.target), (id("guest"), id("target")));
    assert_eq!((seen.interface.as_str(), &*seen.function), (INNER, "get"));
    assert_eq!(seen.link.revision, 1);
}

#[tokio::test]
async fn a_call_without_link_names_the_line_that_helps() {
    for codec in [Codec::Direct, Codec::Val] {
        let wasm = passthrough("", "get: func(key: string) -> result<u8, string>;");
        let (actor, lines) = actor(engine(codec), wasm, Links::default(), |_| {}).await;
        let results = send(&actor, "get", b"\x01a").await.unwrap();
        let help = "wicker link set default/guest/guest test:echo TARGET";
        assert!(String::from_utf8_lossy(&results).contains(help), "{results:?}");
        assert_eq!(results.first(), Some(&1));
        assert!(lines.hold(help));
    }
}

#[tokio::test]
async fn a_failure_without_room_in_the_interface_traps_and_says_why() {
    let (actor, lines) = actor(engine(Codec::Direct), twice(), Links::default(), |_| {}).await;
    let error = send(&actor, "twice", b"").await.unwrap_err();
    assert_eq!(error.status, Status::Trapped);
    assert!(error.message.contains("test:echo/inner.get failed: unavailable"), "{error}");
    assert!(lines.hold("wicker link set"));
}

#[tokio::test]
async fn unreadable_results_trap_the_guest_that_called() {
    for codec in [Codec::Direct, Codec::Val] {
        let wasm = passthrough("", "get: func() -> string;");
        let bad = links(&[INNER], answers(b"\x01\xff"));
        let (actor, _) = actor(engine(codec), wasm, bad, |_| {}).await;
        let error = send(&actor, "get", b"").await.unwrap_err();
        assert_eq!(error.status, Status::Trapped);
        assert!(error.message.contains("UTF-8"), "{error}");
    }
}

#[tokio::test]
async fn wrong_calls_are_refused_before_anything_runs() {
    let (actor, _) = actor(engine(Codec::Direct), twice(), Links::default(), |_| {}).await;
    let good = || call(&actor, "test:echo/outer", "twice", Bytes::new());
    let mut other_type = good();
    other_type.type_hash.0[0] ^= 1;
    let mut other_function = good();
    other_function.function = "thrice".into();
    let mut other_interface = good();
    other_interface.interface = "test:echo/outer@2".parse().unwrap();
    for (call, status) in [
        (other_type, Status::TypeMismatch),
        (other_function, Status::NotFound),
        (other_interface, Status::NotFound),
    ] {
        assert_eq!(actor.invoke(call).await.unwrap_err().status, status);
    }
}

#[tokio::test]
async fn an_import_that_nobody_could_serve_is_refused() {
    let wasm = passthrough("", "wait: func(value: future<u8>) -> u8;");
    let error = engine(Codec::Direct).load(wasm).await.unwrap_err();
    assert!(matches!(error, LoadError::Unsupported(_)), "{error:?}");
    assert!(error.to_string().contains("`future`"), "{error}");
}
