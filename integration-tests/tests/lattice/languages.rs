//! Guests in other languages, as their common tools build them: tens of megabytes, and imports of all that there is.

use std::path::PathBuf;

use integration_tests::{TestLattice, compile};

async fn answers_and_survives_its_errors(build: fn() -> PathBuf, expected: &str) {
    let guest = tokio::task::spawn_blocking(build).await.unwrap();
    compile(&guest).await;
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&guest.display().to_string()]).await;
    assert_eq!(lattice.web.get(host.http, "/a/path").await.unwrap().text(), expected);
    assert_eq!(lattice.web.get(host.http, "/throw").await.unwrap().status, 500);
    assert_eq!(lattice.web.get(host.http, "/a/path").await.unwrap().text(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_made_of_javascript_answers_requests() {
    let expected = r#"{"method":"GET","path":"/a/path","text":""}"#;
    answers_and_survives_its_errors(artifacts::javascript, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_made_of_python_answers_requests() {
    let expected = r#"{"method": "GET", "path": "/a/path"}"#;
    answers_and_survives_its_errors(artifacts::python, expected).await;
}
