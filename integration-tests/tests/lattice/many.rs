//! Many components on one host.

use std::fmt::Write as _;

use integration_tests::TestLattice;

/// Above what a NATS server lets a host fetch at once.
const COMPONENTS: usize = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn many_components_deployed_at_once_all_answer() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let image = artifacts::guest("http-hello");
    let mut manifest = "application: many\ncomponents:\n".to_owned();
    for number in 0..COMPONENTS {
        writeln!(manifest, "  c{number}: {}", image.display()).unwrap();
    }
    manifest += "routes:\n";
    for number in 0..COMPONENTS {
        writeln!(manifest, "  /c{number}: c{number}").unwrap();
    }
    let file = lattice.folder().join("many.yaml");
    std::fs::write(&file, manifest).unwrap();
    let file = file.display().to_string();
    let report = lattice.wicker(&["deploy", &file, "--timeout", "120"]).await;
    assert_eq!(report["applications"][0]["is_ready"], true);
    for number in (0..COMPONENTS).step_by(100) {
        let answer = lattice.web.get(host.http, &format!("/c{number}")).await.unwrap();
        assert_eq!(answer.status, 200, "c{number}");
    }
}
