//! Blobs, as components reach them: those of WASI 0.2 by the draft of `wasi:blobstore` that others were built for.

use std::net::SocketAddr;

use bytes::Bytes;
use integration_tests::TestLattice;

/// No link: its default provider keeps the blobs.
const ALONE: &str = "
application: blobs
components:
  blobs:
    image: '{guests}/blobs.wasm'
    limits: { deadline: 60s }
routes:
  /: blobs
";

/// The component on one machine, its blobs on another, kept by a process of their own.
const APART: &str = "
application: blobs
components:
  blobs:
    image: '{guests}/blobs.wasm'
    limits: { memory: 16MiB, deadline: 300s, concurrency: 1 }
    placement: { labels: { role: work } }
providers:
  store:
    process: blobstore-fs
    placement: { labels: { role: store } }
links:
  blobs:
    wasi:blobstore: { target: store, timeout: 300s, config: { containers: [photos, more] } }
routes:
  /: blobs
";

/// A lattice, and where a client reaches it.
struct Client<'a>(&'a TestLattice, SocketAddr);

impl Client<'_> {
    /// What one request came to.
    async fn ask(&self, path: &str) -> String {
        let answer = self.0.web.get(self.1, path).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    async fn says(&self, path: &str, expected: &str) {
        assert_eq!(self.ask(path).await, expected, "{path}");
    }

    async fn begins(&self, path: &str, expected: &str) {
        let answer = self.ask(path).await;
        assert!(answer.starts_with(expected), "{path}: {answer}");
    }
}

/// What the draft says, one by one.
async fn keep_the_draft(client: &Client<'_>) {
    client.says("/exists/photos/-", "false").await;
    client.says("/info/photos/-", "error: no such container").await;
    client.says("/create/photos/-", "photos").await;
    client.says("/exists/photos/-", "true").await;
    client.says("/info/photos/-", "photos").await;
    values_are_there_when_the_component_says_so(client).await;
    ranges_include_both_ends(client).await;
    what_is_not_finished_is_not_kept(client).await;
    objects_are_moved_listed_and_removed(client).await;
}

async fn values_are_there_when_the_component_says_so(client: &Client<'_>) {
    let Client(lattice, http) = client;
    let body = Bytes::from(vec![b'x'; 3 << 20]);
    let uploaded = lattice.web.post(*http, "/upload/photos/large", body.clone()).await.unwrap();
    assert_eq!(uploaded.text(), body.len().to_string());
    assert!(lattice.web.get(*http, "/read/photos/large").await.unwrap().body == body);
    for (verb, chunks) in [("late", 40), ("fill", 3)] {
        let bytes = (chunks << 16).to_string();
        client.says(&format!("/{verb}/photos/{verb}?{chunks}"), &bytes).await;
        client.says(&format!("/sum/photos/{verb}"), &bytes).await;
    }
    client.says("/closed/photos/text?0123456789", "written").await;
}

async fn ranges_include_both_ends(client: &Client<'_>) {
    client.says("/sync/photos/text", "10 0123456789").await;
    client.says("/sync/photos/text?0-0", "1 0").await;
    client.says("/sync/photos/text?3-5", "3 345").await;
    client.says("/sync/photos/text?7-10", "3 789").await;
    client.begins("/sync/photos/text?5-3", "error: ").await;
    client.begins("/sync/photos/text?11-12", "error: invalid: ").await;
    client.says("/sync/photos/nothing", "error: no such object").await;
}

async fn what_is_not_finished_is_not_kept(client: &Client<'_>) {
    client.says("/abandon/photos/text", "abandoned").await;
    client.says("/sync/photos/text", "10 0123456789").await;
    let long = "x".repeat(1_000);
    client.begins(&format!("/fill/photos/{long}?1"), "error: invalid: ").await;
    client.begins(&format!("/fill/photos/{long}?1000"), "error: ").await;
    let held = client.ask("/late/photos/huge?300").await;
    assert!(held.contains("write-data"), "more than may be held: {held}");
    client.says("/glance/photos/large", "16").await;
}

async fn objects_are_moved_listed_and_removed(client: &Client<'_>) {
    client.says("/size/photos/text", "text 10").await;
    client.says("/copy/photos/text?copy", "copied").await;
    client.says("/move/photos/copy?moved", "moved").await;
    client.says("/move/photos/moved?moved", "moved").await;
    client.says("/has/photos/copy", "false").await;
    client.says("/has/photos/moved", "true").await;
    client.says("/sync/photos/moved", "10 0123456789").await;
    for at_once in [1, 3, 1_000] {
        let list = format!("/list/photos/-?{at_once}");
        client.says(&list, "skipped 1 large late moved text").await;
    }
    client.says("/delete/photos/text", "deleted").await;
    client.says("/delete/photos/text", "deleted").await;
    client.says("/clear/photos/-", "cleared").await;
    client.says("/list/photos/-?5", "skipped 0").await;
    client.says("/remove/photos/-", "removed").await;
    client.says("/has/photos/text", "error: no such container").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn component_of_wasi_0_2_has_blobs_without_a_link() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.manifest("blobs", ALONE)]).await;
    keep_the_draft(&Client(&lattice, host.http)).await;
}

/// What is written and read as one value.
const VALUE_BYTES: u64 = 256 << 20;

/// What a process may have resident, its program (large in a build for tests) and what its allocator keeps included, whatever passes
/// through it: three quarters of the value, which passes four times.
const RESIDENT_BYTES_MAX: u64 = 192 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn blobs_of_any_size_cross_hosts_in_constant_memory() {
    let lattice = TestLattice::start().await;
    let worker = lattice.host(&["--label", "role=work"]).await;
    let store = lattice.host(&["--label", "role=store"]).await;
    let edge = lattice.host(&[]).await;
    lattice.wicker(&["deploy", &lattice.manifest("blobs", APART)]).await;
    let client = Client(&lattice, edge.http);
    assert!(client.ask("/create/theirs/-").await.contains("denied"));
    client.says("/create/photos/-", "photos").await;

    // Uploaded by a client; written by the component, and read by it; and downloaded by a client.
    let bytes = VALUE_BYTES.to_string();
    let body = Bytes::from(vec![7; VALUE_BYTES as usize]);
    let uploaded = lattice.web.post(edge.http, "/upload/photos/huge", body).await.unwrap();
    assert_eq!(uploaded.text(), bytes);
    client.says(&format!("/fill/photos/huge?{}", VALUE_BYTES >> 16), &bytes).await;
    client.says("/sum/photos/huge", &bytes).await;
    let passed = lattice.web.download(edge.http, "/read/photos/huge").await.unwrap();
    assert_eq!(passed, VALUE_BYTES);
    // A client that leaves stops everybody: a call that went on would be in the way of the next.
    lattice.web.leave_after(edge.http, "/read/photos/huge", 1 << 20).await.unwrap();
    client.says("/glance/photos/huge", "16").await;

    let provider = store.children();
    assert_eq!(provider.len(), 1, "{provider:?}");
    let processes = [edge.pid(), worker.pid(), store.pid(), provider[0]];
    for (name, pid) in ["edge", "worker", "store", "provider"].iter().zip(processes) {
        let peak = integration_tests::peak_memory_bytes(pid);
        assert!(peak > 0 && peak < RESIDENT_BYTES_MAX, "{name} had {peak} bytes resident");
    }
    client.says("/remove/photos/-", "removed").await;
    keep_the_draft(&client).await;
}
