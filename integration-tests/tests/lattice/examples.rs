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

#[tokio::test(flavor = "multi_thread")]
async fn nightly_keeps_a_page_at_its_time_and_shows_it() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[&lattice.example("hello")]).await;
    let manifest = lattice.example("nightly");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("127.0.0.1:8000", &host.http.to_string())).unwrap();
    lattice.wicker(&["deploy", &manifest]).await;
    let status = lattice.wicker(&["status", "nightly"]).await;
    let schedule = &status["applications"][0]["schedules"][0];
    assert_eq!(schedule["timing"]["cron"]["expression"], "0 3 * * *");
    // Nobody waits for the night.
    let soon = "schedules: { nightly: { cron: null, zone: null, every: 1s } }\n";
    let overlay = lattice.manifest("soon", soon);
    lattice.wicker(&["deploy", &manifest, "--overlay", &overlay]).await;
    let name = eventually("a page is kept", || async {
        let answer = lattice.web.get(host.http, "/nightly").await.ok()?;
        let first = answer.text().lines().next()?.to_owned();
        (answer.status == 200).then_some(first)
    })
    .await;
    let page = lattice.web.get(host.http, &format!("/nightly/{name}")).await.unwrap();
    assert_eq!((page.status.as_u16(), page.text().as_str()), (200, "Hello from a component!"));
    let missing = lattice.web.get(host.http, "/nightly/other").await.unwrap();
    assert_eq!(missing.status, 404);
}
