//! One suite of laws for messages, over every backend with its real server, in this process and as a process of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::large_futures,
    clippy::indexing_slicing,
    reason = "a test, and what only tests call, fails by panicking, and its future may be large"
)]

mod backend;
mod broken;
mod inbox;
mod laws;
mod mosquitto;
mod setting;

use wicker_lattice::testing::NatsServer;

use crate::backend::Backend;
use crate::mosquitto::Mosquitto;
use crate::setting::{Room, become_provider};

/// What a process started by these tests becomes: a provider. Without its variable it is a test of nothing.
#[test]
fn provider_process() {
    become_provider();
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_of_any_version_in_process_keeps_the_laws() {
    for program in NatsServer::installed() {
        let room = Room::in_process(Backend::Nats, NatsServer::start_program(&program).await).await;
        laws::keep_all(&room).await;
        room.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_of_any_version_as_a_process_keeps_the_laws() {
    for program in NatsServer::installed() {
        let room = Room::process(Backend::Nats, NatsServer::start_program(&program).await).await;
        laws::keep_all(&room).await;
        room.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_in_process_keeps_the_laws() {
    let room = Room::in_process(Backend::Memory, NatsServer::start().await).await;
    laws::keep_all(&room).await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_as_a_process_keeps_the_laws() {
    let room = Room::process(Backend::Memory, NatsServer::start().await).await;
    laws::keep_all(&room).await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_in_process_keeps_the_laws() {
    let backend = Backend::Mqtt(Mosquitto::start().await);
    let room = Room::in_process(backend, NatsServer::start().await).await;
    laws::keep_all(&room).await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_as_a_process_keeps_the_laws() {
    let backend = Backend::Mqtt(Mosquitto::start().await);
    let room = Room::process(backend, NatsServer::start().await).await;
    laws::keep_all(&room).await;
    room.end().await;
}
