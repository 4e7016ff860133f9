//! Bodies of any size pass through a component on another host, in constant memory.

use bytes::Bytes;
use integration_tests::TestLattice;

const BODY_BYTES: usize = 100 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn hundred_megabytes_pass_up_and_down_through_a_component_on_another_host() {
    let lattice = TestLattice::start().await;
    let edge = lattice.host(&["--label", "role=edge"]).await;
    let worker = lattice.host(&["--label", "role=worker"]).await;
    let manifest = "
application: echo
components:
  echo:
    image: '{guests}/http_echo.wasm'
    limits: { memory: 32MiB, deadline: 120s }
    placement: { labels: { role: worker } }
routes:
  /: echo
";
    lattice.wicker(&["deploy", &lattice.manifest("echo", manifest)]).await;
    lattice.web.post(edge.http, "/", Bytes::from_static(b"warm up")).await.unwrap();
    let before = edge.peak_memory_bytes().max(worker.peak_memory_bytes());
    let body: Bytes = (0..BODY_BYTES).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into();
    let answer = lattice.web.post(edge.http, "/", body.clone()).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "{} bytes came back", answer.body.len());
    let after = edge.peak_memory_bytes().max(worker.peak_memory_bytes());
    assert!(after < before + (BODY_BYTES as u64) / 2, "a host grew from {before} to {after} bytes");
}
