//! Handles of resources behind links: the guest holds numbers, the target sees its own tokens.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::Notify;
use wicker_engine::Codec;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::id::ProcessId;
use wicker_lattice::link::Links;
use wicker_lattice::release;
use wicker_lattice::value::{Handle, PinnedHandle, Writer, encode};

use crate::guest::component;
use crate::harness::{Target, actor, call, engine, links};

const WIT: &str = "
    package test:kv;
    interface store {
        resource bucket { get: func(key: u32) -> u32; }
        open: func(name: string) -> bucket;
        close: func(bucket: bucket);
    }
    interface outer {
        use store.{bucket};
        run: func(name: string) -> u32;
        hand: func(bucket: bucket) -> bucket;
        look: func(bucket: borrow<bucket>) -> u32;
        lose: func(name: string);
    }
    world w { import store; export outer; }
";

const CORE: &str = r#"
    (import "test:kv/store" "open" (func $open (param i32 i32) (result i32)))
    (import "test:kv/store" "[method]bucket.get" (func $get (param i32 i32) (result i32)))
    (import "test:kv/store" "close" (func $close (param i32)))
    (import "test:kv/store" "[resource-drop]bucket" (func $drop (param i32)))
    (func (export "test:kv/outer#run") (param i32 i32) (result i32)
        (local $a i32) (local $b i32) (local $sum i32)
        (local.set $a (call $open (local.get 0) (local.get 1)))
        (local.set $b (call $open (local.get 0) (local.get 1)))
        (local.set $sum (i32.add (call $get (local.get $a) (i32.const 1)) (call $get (local.get $b) (i32.const 2))))
        (call $drop (local.get $a))
        (call $close (local.get $b))
        (local.get $sum))
    (func (export "test:kv/outer#lose") (param i32 i32)
        (drop (call $open (local.get 0) (local.get 1)))
        (drop (call $open (local.get 0) (local.get 1)))
        unreachable)
    (func (export "test:kv/outer#hand") (param i32) (result i32) (local.get 0))
    (func (export "test:kv/outer#look") (param i32) (result i32)
        (local $sum i32)
        (local.set $sum (call $get (local.get 0) (i32.const 5)))
        (call $drop (local.get 0))
        (local.get $sum))
"#;

/// Opens tokens that say their number, and notes every call.
fn store(seen: &Arc<Mutex<Vec<(String, Bytes)>>>) -> Links {
    let seen = Arc::clone(seen);
    let target = Target(move |call: Call| {
        let results = {
            let mut seen = seen.lock().unwrap();
            seen.push((call.function.to_string(), call.params.clone()));
            match &*call.function {
                "open" => encode(&Handle::stateless(format!("bucket {}", seen.len()))),
                "close" => Bytes::new(),
                _ => encode(&20_u32),
            }
        };
        async move { Ok(Reply { results, streams: Vec::new() }) }
    });
    links(&["test:kv/store"], Arc::new(target))
}

fn token(text: &str, key: Option<u8>) -> Bytes {
    let handle = encode(&Handle::stateless(text.to_owned()));
    [handle.as_ref(), key.as_slice()].concat().into()
}

#[tokio::test]
async fn a_target_sees_the_tokens_that_it_gave() {
    for codec in [Codec::Direct, Codec::Val] {
        let seen = Arc::default();
        let wasm = component(WIT, CORE);
        let (actor, _) = actor(engine(codec), wasm, store(&seen), |config| config.warm = 1).await;
        for _ in 0..2 {
            seen.lock().unwrap().clear();
            let call = call(&actor, "test:kv/outer", "run", Bytes::from_static(b"\x01x"));
            assert_eq!(actor.invoke(call).await.unwrap().results, encode(&40_u32));
            let expected = [
                ("open".to_owned(), Bytes::from_static(b"\x01x")),
                ("open".to_owned(), Bytes::from_static(b"\x01x")),
                ("[method]bucket.get".to_owned(), token("bucket 1", Some(1))),
                ("[method]bucket.get".to_owned(), token("bucket 2", Some(2))),
                ("close".to_owned(), token("bucket 2", None)),
            ];
            assert_eq!(*seen.lock().unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn handles_of_others_pass_through_a_guest() {
    for codec in [Codec::Direct, Codec::Val] {
        let seen = Arc::default();
        let wasm = component(WIT, CORE);
        let (actor, _) = actor(engine(codec), wasm, store(&seen), |config| config.warm = 1).await;
        let given = token("theirs", None);
        for _ in 0..3 {
            let hand = call(&actor, "test:kv/outer", "hand", given.clone());
            assert_eq!(actor.invoke(hand).await.unwrap().results, given);
            let look = call(&actor, "test:kv/outer", "look", given.clone());
            assert_eq!(actor.invoke(look).await.unwrap().results, encode(&20_u32));
        }
        let last = seen.lock().unwrap().last().cloned().unwrap();
        assert_eq!(last, ("[method]bucket.get".to_owned(), token("theirs", Some(5))));
    }
}

/// Opens pinned handles that say their number, and notes every call with the process that it is for.
#[derive(Default)]
struct Keeper {
    opened: Mutex<u8>,
    seen: Mutex<Vec<(Option<ProcessId>, String, Bytes)>>,
    drops: Notify,
}

impl Keeper {
    fn answer(&self, process: Option<ProcessId>, call: Call) -> Result<Reply, CallError> {
        let results = match &*call.function {
            "open" => {
                let mut opened = self.opened.lock().unwrap();
                *opened += 1;
                encode(&pinned(*opened))
            }
            "[method]bucket.get" => encode(&20_u32),
            _ => Bytes::new(),
        };
        let is_drop = &*call.function == release::FUNCTION;
        self.seen.lock().unwrap().push((process, call.function.to_string(), call.params));
        if is_drop {
            self.drops.notify_one();
        }
        Ok(Reply { results, streams: Vec::new() })
    }
}

impl Invoke for Keeper {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async { self.answer(None, call) })
    }

    fn invoke_at(&self, process: ProcessId, call: Call) -> Invocation<'_> {
        Box::pin(async move { self.answer(Some(process), call) })
    }
}

fn owner() -> ProcessId {
    ProcessId::from_bytes([9; 16])
}

fn pinned(number: u8) -> Handle {
    Handle::Pinned(PinnedHandle { owner: owner(), nonce: [number; 16] })
}

#[tokio::test]
async fn pinned_handles_go_to_their_owner_and_are_dropped_there_before_the_guest_goes_on() {
    for codec in [Codec::Direct, Codec::Val] {
        let keeper = Arc::new(Keeper::default());
        let to_keeper = links(&["test:kv/store"], Arc::clone(&keeper) as Arc<dyn Invoke>);
        let wasm = component(WIT, CORE);
        let (actor, _) = actor(engine(codec), wasm, to_keeper, |_| {}).await;
        let call = call(&actor, "test:kv/outer", "run", Bytes::from_static(b"\x01x"));
        assert_eq!(actor.invoke(call).await.unwrap().results, encode(&40_u32));
        let get = |number, key| [encode(&pinned(number)).as_ref(), &[key]].concat().into();
        let open = || (None, "open".to_owned(), Bytes::from_static(b"\x01x"));
        let expected = [
            open(),
            open(),
            (Some(owner()), "[method]bucket.get".to_owned(), get(1, 1)),
            (Some(owner()), "[method]bucket.get".to_owned(), get(2, 2)),
            (Some(owner()), release::FUNCTION.to_owned(), encode(&vec![pinned(1)])),
            (Some(owner()), "close".to_owned(), encode(&pinned(2))),
        ];
        assert_eq!(*keeper.seen.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn instance_that_traps_gives_back_its_pinned_handles_in_one_call() {
    for codec in [Codec::Direct, Codec::Val] {
        let keeper = Arc::new(Keeper::default());
        let to_keeper = links(&["test:kv/store"], Arc::clone(&keeper) as Arc<dyn Invoke>);
        let wasm = component(WIT, CORE);
        let (actor, _) = actor(engine(codec), wasm, to_keeper, |_| {}).await;
        let call = call(&actor, "test:kv/outer", "lose", Bytes::from_static(b"\x01x"));
        assert_eq!(actor.invoke(call).await.unwrap_err().status, Status::Trapped);
        keeper.drops.notified().await;
        let (process, function, params) = keeper.seen.lock().unwrap().last().cloned().unwrap();
        assert_eq!((process, function.as_str()), (Some(owner()), release::FUNCTION));
        assert_eq!(params, encode(&vec![pinned(1), pinned(2)]));
    }
}

#[tokio::test]
async fn pinned_handle_of_another_component_is_refused() {
    for codec in [Codec::Direct, Codec::Val] {
        let wasm = component(WIT, CORE);
        let seen = Arc::default();
        let (actor, _) = actor(engine(codec), wasm, store(&seen), |_| {}).await;
        let theirs = call(&actor, "test:kv/outer", "hand", encode(&pinned(1)));
        assert_eq!(actor.invoke(theirs).await.unwrap_err().status, Status::Unsupported);
        let mut torn = Writer::new();
        torn.put_bytes(b"\x01pinned");
        let torn = call(&actor, "test:kv/outer", "hand", torn.finish());
        assert_eq!(actor.invoke(torn).await.unwrap_err().status, Status::BadFrame);
    }
}

#[tokio::test]
async fn resources_of_the_component_itself_do_not_cross() {
    let wit = "
        package test:self;
        interface outer { resource thing; make: func() -> thing; plain: func() -> u32; }
        world w { export outer; }
    ";
    let core = r#"
        (import "[export]test:self/outer" "[resource-new]thing" (func $new (param i32) (result i32)))
        (func (export "test:self/outer#make") (result i32) (call $new (i32.const 8)))
        (func (export "test:self/outer#plain") (result i32) (i32.const 3))
    "#;
    let wasm = component(wit, core);
    let (actor, _) = actor(engine(Codec::Direct), wasm, Links::default(), |_| {}).await;
    let make = call(&actor, "test:self/outer", "make", Bytes::new());
    assert_eq!(actor.invoke(make).await.unwrap_err().status, Status::Unsupported);
    let plain = call(&actor, "test:self/outer", "plain", Bytes::new());
    assert_eq!(actor.invoke(plain).await.unwrap().results, b"\x03".as_slice());
}
