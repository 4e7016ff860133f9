//! Each example is deployed as its README says.

use integration_tests::{TestLattice, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn hello_answers() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("hello")]).await;
    let answer = lattice.web.get(host.http, "/hello").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "Hello from a component!"));
    assert_eq!(lattice.web.get(host.http, "/elsewhere").await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn counter_counts_and_remembers_over_a_restart() {
    let lattice = TestLattice::start().await;
    let data = lattice.folder().join("data");
    let host = lattice.host_in(&data, &[&lattice.example("counter")]).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(lattice.web.get(host.http, "/").await.unwrap().text(), expected);
    }
    assert!(host.stop().await.success());
    // The application is in the lattice: the host needs no files to run it again.
    let host = lattice.host_in(&data, &[]).await;
    let again = eventually("the counter is back", || async {
        let answer = lattice.web.get(host.http, "/").await.ok()?;
        (answer.status == 200).then(|| answer.text())
    })
    .await;
    assert_eq!(again, "4");
}
