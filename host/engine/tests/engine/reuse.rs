//! What one instance leaves in its memory, its globals and its tables is never seen by the next one in its place.

use std::sync::Arc;

use bytes::Bytes;
use wicker_engine::{Actor, Engine, EngineConfig};
use wicker_lattice::call::{CallError, Invoke as _};
use wicker_lattice::link::Links;

use crate::guest::component;
use crate::harness::{actor, call};

const WIT: &str = "
    package test:secrets;
    interface pages { hide: func(); hide-and-trap: func(); seek: func() -> u32; }
    world w { export pages; }
";

/// Pages of 4 KiB that are written and searched: 40 MiB, far beyond what a slot keeps resident.
const PAGES: u32 = 10_240;

/// Found as often as 8 bytes of a page, a global or a table are not as they were made.
const CORE: &str = r#"
    DATA
    (global $kept (mut i64) (i64.const 0))
    (table $functions 2 2 funcref)
    (elem declare func $hide)
    (func $grow
        (br_if 0 (i32.ge_u (memory.size) (i32.const WASM_PAGES)))
        (drop (memory.grow (i32.sub (i32.const WASM_PAGES) (memory.size)))))
    (func $hide (export "test:secrets/pages#hide")
        (local $at i32)
        (call $grow)
        (global.set $kept (i64.const 0x5ec2e75ec2e7))
        (table.set $functions (i32.const 1) (ref.func $hide))
        (local.set $at (i32.const 65536))
        (loop $next
            (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e7))
            (i64.store offset=4088 (local.get $at) (i64.const 0x5ec2e75ec2e7))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const BYTES)))))
    (func (export "test:secrets/pages#hide-and-trap") (call $hide) unreachable)
    (func (export "test:secrets/pages#seek") (result i32)
        (local $at i32) (local $found i32)
        (call $grow)
        (local.set $found (i32.add
            (i64.ne (global.get $kept) (i64.const 0))
            (i32.eqz (ref.is_null (table.get $functions (i32.const 1))))))
        (local.set $at (i32.const 65536))
        (loop $next
            (local.set $found (i32.add (local.get $found)
                (i64.ne (i64.load (local.get $at)) (i64.const 0))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const BYTES))))
        (local.get $found))
"#;

/// The guest, with `data` in its image: another image, as another component has it, is mapped in another way.
async fn guest(engine: &Engine, data: &str, warm: usize) -> Arc<Actor> {
    let core = CORE
        .replace("DATA", data)
        .replace("WASM_PAGES", &(PAGES / 16).to_string())
        .replace("BYTES", &(PAGES * 4096).to_string());
    let change = |config: &mut wicker_engine::ActorConfig| config.warm = warm;
    actor(engine, component(WIT, &core), Links::default(), change).await.0
}

async fn send(actor: &Actor, function: &str) -> Result<Bytes, CallError> {
    let call = call(actor, "test:secrets/pages", function, Bytes::new());
    actor.invoke(call).await.map(|reply| reply.results)
}

/// With room for one instance, so that each takes the place of the one before.
async fn secrets_are_found_by_nobody(config: EngineConfig) {
    let engine = Engine::new(EngineConfig { instances: 1, ..config }).unwrap();
    let one = guest(&engine, "", 0).await;
    let other = guest(&engine, r#"(data (i32.const 4096) "another image")"#, 0).await;
    // It does find what it hid itself, or finding nothing would say nothing.
    let keeps = guest(&engine, "", 1).await;
    send(&keeps, "hide").await.unwrap();
    assert_ne!(send(&keeps, "seek").await.unwrap(), b"\0".as_slice());
    drop(keeps);
    for _ in 0..3 {
        for hiding in [&one, &other] {
            for seeking in [&one, &other] {
                send(hiding, "hide").await.unwrap();
                assert_eq!(send(seeking, "seek").await.unwrap(), b"\0".as_slice());
                send(hiding, "hide-and-trap").await.unwrap_err();
                assert_eq!(send(seeking, "seek").await.unwrap(), b"\0".as_slice());
            }
        }
    }
}

#[tokio::test]
async fn no_instance_sees_what_another_left_where_the_kernel_finds_dirty_pages() {
    secrets_are_found_by_nobody(EngineConfig::default()).await;
}

#[tokio::test]
async fn no_instance_sees_what_another_left_where_pages_are_cleared_blindly() {
    let config = EngineConfig { pagemap_scan: false, ..EngineConfig::default() };
    secrets_are_found_by_nobody(config).await;
}
