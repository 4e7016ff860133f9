//! One suite of laws for blobs, over every backend, in this process and as a process of its own over NATS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::large_futures, reason = "a test has one")]

mod laws;

use blobstore_fs::Files;
use wicker_lattice::testing::NatsServer;
use wicker_provider::Builtin;
use wicker_provider::testing::{InProcess, Process, become_provider};

const PACKAGE: &str = "wicker:blobstore@0.1";

/// What a process started by these tests becomes: a provider. Without its variable it is a test of nothing.
#[test]
fn provider_process() {
    become_provider(&[Builtin::of::<Files>()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_process_keep_the_laws() {
    let provider = InProcess::start::<Files>(serde_json::json!({}), None).await;
    laws::keep_all(&provider.links(PACKAGE, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_as_a_process_keep_the_laws() {
    let nats = NatsServer::start().await;
    let mut provider = Process::start::<Files>(&nats, serde_json::json!({})).await;
    laws::keep_all(&provider.links(PACKAGE, &[])).await;
    let put = laws::put_for_good(&provider.links(PACKAGE, &[])).await;
    provider.kill();
    let provider = provider.start_again::<Files>().await;
    laws::is_still_there(&provider.links(PACKAGE, &[]), put).await;
    provider.end().await;
}
