//! One suite of laws for blobs, over every backend, in this process and as a process of its own over NATS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::large_futures, reason = "a test has one")]

mod flaky;
mod laws;

use blobstore::blobs::Client;
use blobstore_fs::Files;
use blobstore_nats::Nats;
use blobstore_s3::S3;
use laws::{Promises, Server};
use serde_json::json;
use wicker_lattice::testing::NatsServer;
use wicker_provider::testing::{InProcess, Links, Process, S3Server, become_provider, until};
use wicker_provider::{Builtin, Provider};

const PACKAGE: &str = "wicker:blobstore@0.1";

const FILES: Promises = Promises {
    names: &[
        "",
        "..",
        "../../escape",
        "a/b/c.png",
        ".hidden",
        "gr\u{fc}n \u{1F980}",
        "a%2Fb",
        "A",
        "a",
    ],
    refused: &[],
    reader_goes_on: true,
};

const NATS: Promises = Promises {
    names: &[
        "..",
        "../../escape",
        "a/b/c.png",
        ".hidden",
        "gr\u{fc}n \u{1F980}",
        "a%2Fb",
        "A",
        "a",
    ],
    refused: &[""],
    reader_goes_on: false,
};

/// The server of the tests keeps objects as files, so it cannot have both `a` and `a/b`; others can.
const ANY_S3: Promises = Promises {
    names: &["a/b/c.png", ".hidden", "gr\u{fc}n \u{1F980}", "a%2Fb", "A", "b"],
    refused: &["", ".", "..", "../../escape", "a//b", "/a", "a/", "a/../b"],
    reader_goes_on: true,
};

impl Server for NatsServer {
    fn pid(&self) -> u32 {
        Self::pid(self).unwrap()
    }
    fn stop(&mut self) {
        Self::stop(self);
    }
    fn run(&mut self) {
        Self::run(self);
    }
}

impl Server for S3Server {
    fn pid(&self) -> u32 {
        Self::pid(self).unwrap()
    }
    fn stop(&mut self) {
        Self::stop(self);
    }
    fn run(&mut self) {
        Self::run(self);
    }
}

/// What a process started by these tests becomes: a provider. Without its variable it is a test of nothing.
#[test]
fn provider_process() {
    let builtins = [Builtin::of::<Files>(), Builtin::of::<Nats>(), Builtin::of::<S3>()];
    become_provider(&builtins);
}

/// A process that is killed has kept what it said it has.
async fn as_a_process<P: Provider>(promises: Promises, config: &[(&'static str, String)]) {
    let nats = NatsServer::start().await;
    let config = borrowed(config);
    let mut provider = Process::start::<P>(&nats, json!({})).await;
    laws::keep_all(&provider.links(PACKAGE, &config), promises).await;
    let put = laws::put_for_good(&provider.links(PACKAGE, &config)).await;
    provider.kill();
    let provider = provider.start_again::<P>().await;
    laws::is_still_there(&provider.links(PACKAGE, &config), put).await;
    provider.end().await;
}

fn borrowed<'a>(config: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    config.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_process_keep_the_laws() {
    let provider = InProcess::start::<Files>(json!({}), None).await;
    laws::keep_all(&provider.links(PACKAGE, &[]), FILES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_as_a_process_keep_the_laws() {
    as_a_process::<Files>(FILES, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_in_process_keeps_the_laws_and_outlives_an_outage() {
    let mut nats = NatsServer::start().await;
    let provider = InProcess::start::<Nats>(json!({}), Some(nats.url())).await;
    let links = provider.links(PACKAGE, &[]);
    laws::keep_all(&links, NATS).await;
    nothing_stays_behind(&nats).await;
    laws::outlive(&links, &mut nats).await;
}

/// The chunks of what was given up, replaced or removed are gone: no stream of the tests has more than its objects need.
async fn nothing_stays_behind(nats: &NatsServer) {
    let bytes = || {
        let text = nats.statistics("jsz?streams=true&config=true").unwrap();
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        told.pointer("/bytes")?.as_u64()
    };
    until("chunks that nobody has are removed", || async {
        bytes().is_some_and(|bytes| bytes < 16 << 20)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_as_a_process_keeps_the_laws() {
    as_a_process::<Nats>(NATS, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_in_process_keeps_the_laws_and_outlives_an_outage() {
    let mut server = S3Server::start();
    let config = server.config();
    let provider = InProcess::start::<S3>(json!({}), None).await;
    let links = provider.links(PACKAGE, &borrowed(&config));
    laws::keep_all(&links, ANY_S3).await;
    connection_that_breaks_is_made_again(&links, &server).await;
    wrong_key_is_said_and_not_shown(&links).await;
    laws::outlive(&links, &mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_as_a_process_keeps_the_laws() {
    let server = S3Server::start();
    as_a_process::<S3>(ANY_S3, &server.config()).await;
}

async fn connection_that_breaks_is_made_again(links: &Links, server: &S3Server) {
    let flaky = flaky::Proxy::start(server.port()).await;
    let endpoint = format!("http://127.0.0.1:{}", flaky.port());
    let blobs = Client::new(links.open(&[("endpoint", &endpoint)]).await);
    blobs.create_container("flaky".to_owned()).await.unwrap().unwrap();
    flaky.breaks(3);
    assert_eq!(blobs.has_container("flaky".to_owned()).await.unwrap(), Ok(true));
    flaky.breaks(3);
    laws::put_in(&blobs, "flaky").await;
}

async fn wrong_key_is_said_and_not_shown(links: &Links) {
    let blobs = Client::new(links.open(&[("secret-key", "wrong-horse")]).await);
    let refused = blobs.has_container("first".to_owned()).await.unwrap_err().to_string();
    assert!(refused.contains("cannot use the bucket"), "{refused}");
    assert!(!refused.contains("horse"), "{refused}");
}
