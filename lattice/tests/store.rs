//! The lattice's state on real nats-servers: every version that is installed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails is the test's failure"
)]

use std::time::Duration;

use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Link, ObjectKind, Placement, Scope};
use wicker_lattice::store::{Change, Record as _, Store, StoreError, key};
use wicker_lattice::testing::NatsServer;

async fn open(server: &NatsServer) -> Store {
    let client = async_nats::connect(server.url()).await.unwrap();
    Store::open(&async_nats::jetstream::new(client), "test", 1).await.unwrap()
}

fn link(target: &str) -> Link {
    Link {
        source: ObjectId::bare("counter").unwrap(),
        scope: Scope::Package("wasi:keyvalue@0.2.0-draft".parse().unwrap()),
        name: "default".to_owned(),
        target: ObjectId::bare(target).unwrap(),
        secrets: Default::default(),
        config: Default::default(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

/// The next change within a generous time.
async fn next<R: wicker_lattice::store::Record>(
    watch: &mut wicker_lattice::store::Watch<R>,
) -> Change<R> {
    tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("a change in time")
}

#[tokio::test]
async fn write_based_on_an_old_revision_is_refused_on_every_server() {
    for program in NatsServer::installed() {
        let server = NatsServer::start_program(&program).await;
        let store = open(&server).await;
        let first = store.create(&link("redb")).await.unwrap();
        assert!(matches!(store.create(&link("redis")).await, Err(StoreError::Conflict { .. })));
        let second = store.update(&link("redis"), first).await.unwrap();
        assert!(matches!(
            store.update(&link("nats"), first).await,
            Err(StoreError::Conflict { .. })
        ));
        let read = store.get::<Link>(&link("redis").key()).await.unwrap().unwrap();
        assert_eq!((read.record, read.revision), (link("redis"), second));
        assert_eq!(store.history::<Link>(&read.key).await.unwrap().len(), 2);
        store.delete::<Link>(&read.key).await.unwrap();
        assert!(store.get::<Link>(&read.key).await.unwrap().is_none());
        store.create(&link("redb")).await.expect("a deleted key can be created again");
    }
}

#[tokio::test]
async fn watch_tells_what_is_there_then_each_change() {
    for program in NatsServer::installed() {
        let server = NatsServer::start_program(&program).await;
        let store = open(&server).await;
        let mut empty = store.watch::<Link>(&Link::all());
        assert_eq!(next(&mut empty).await, Change::Current);
        let revision = store.create(&link("redb")).await.unwrap();
        let mut watch = store.watch::<Link>(&Link::all());
        assert!(matches!(next(&mut watch).await, Change::Put(entry) if entry.revision == revision));
        assert_eq!(next(&mut watch).await, Change::Current);
        store.update(&link("redis"), revision).await.unwrap();
        assert!(
            matches!(next(&mut watch).await, Change::Put(entry) if entry.record == link("redis"))
        );
        store.delete::<Link>(&link("redis").key()).await.unwrap();
        assert!(
            matches!(next(&mut watch).await, Change::Deleted { key } if key == link("redis").key())
        );
    }
}

#[tokio::test]
async fn watch_goes_on_after_the_server_restarted() {
    let mut server = NatsServer::start().await;
    let store = open(&server).await;
    let mut watch = store.watch::<Link>(&Link::all());
    assert_eq!(next(&mut watch).await, Change::Current);
    server.run();
    // Writes fail until the client is back; each is tried again, as a reconciler would.
    let written = tokio::time::timeout(Duration::from_secs(30), async {
        while store.put(&link("redis")).await.is_err() {}
    });
    written.await.expect("the server is back");
    loop {
        if let Change::Put(entry) = next(&mut watch).await {
            assert_eq!(entry.record, link("redis"));
            return;
        }
    }
}

#[tokio::test]
async fn filter_of_one_host_matches_no_other() {
    let server = NatsServer::start().await;
    let store = open(&server).await;
    let (ours, theirs) = (ProcessId::generate(), ProcessId::generate());
    for host in [ours, theirs] {
        let object = ObjectId::bare("counter").unwrap();
        let placement = Placement { host, object, kind: ObjectKind::Component, generation: 1 };
        store.create(&placement).await.unwrap();
    }
    let found = store.list::<Placement>(&key::placements_on(ours)).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.record.host).collect::<Vec<_>>(), [ours]);
}

#[tokio::test]
async fn image_comes_back_as_it_was_stored() {
    for program in NatsServer::installed() {
        let server = NatsServer::start_program(&program).await;
        let store = open(&server).await;
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let digest = store.put_image(&bytes).await.unwrap();
        assert_eq!(store.put_image(&bytes).await.unwrap(), digest);
        assert_eq!(store.get_image(&digest).await.unwrap(), bytes);
        assert!(store.get_image("sha256:00").await.is_err());
    }
}

#[tokio::test]
async fn lattice_of_another_version_is_refused() {
    let server = NatsServer::start().await;
    let store = open(&server).await;
    let foreign = wicker_lattice::store::record::Lattice { version: 99 };
    store.put(&foreign).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let error = Store::open(&async_nats::jetstream::new(client), "test", 1).await.unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
}
