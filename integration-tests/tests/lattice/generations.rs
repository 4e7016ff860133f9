//! Orders that are older than what a host has seen.

use integration_tests::{TestLattice, eventually};
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Component, Placement};

/// One component with a limit that tells its versions apart.
fn manifest(lattice: &TestLattice, concurrency: u32) -> String {
    let hello = artifacts::example("hello").display().to_string();
    lattice.manifest(
        "hello",
        &format!(
            "application: hello\ncomponents:\n  hello: {{ image: {hello}, limits: {{ concurrency: {concurrency} }} }}\nroutes:\n  /: hello\n"
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn older_record_is_refused_by_a_host_that_came_back_too() {
    let lattice = TestLattice::start().await;
    let data = lattice.folder().join("data");
    let host = lattice.host_in(&data, &[]).await;
    let id = "default/hello/hello".parse().unwrap();
    lattice.wicker(&["deploy", &manifest(&lattice, 10)]).await;
    let older = lattice.store.get::<Component>(&key::component(&id)).await.unwrap().unwrap();
    lattice.wicker(&["deploy", &manifest(&lattice, 20)]).await;
    let process = host.process;
    assert!(host.stop().await.success());

    let placement = lattice.store.get::<Placement>(&key::placement(process, &id)).await.unwrap();
    let generation = older.record.generation;
    lattice.store.put(&older.record).await.unwrap();
    lattice.store.put(&Placement { generation, ..placement.unwrap().record }).await.unwrap();
    let host = lattice.host_in(&data, &[]).await;
    eventually("the older order is refused", || async {
        host.log().contains("order of generation 1 refused: 2 is known").then_some(())
    })
    .await;
    assert_eq!(lattice.running(&id).await, None);

    // The next deployment is a newer one, and everybody takes it; also after everything was removed meanwhile.
    lattice.wicker(&["deploy", &manifest(&lattice, 30)]).await;
    assert_eq!(lattice.web.get(host.http, "/").await.unwrap().status, 200);
    assert!(host.stop().await.success());
    lattice.wicker(&["undeploy", "--detach", "hello"]).await;
    let host = lattice.host_in(&data, &[]).await;
    lattice.wicker(&["deploy", &manifest(&lattice, 40)]).await;
    assert_eq!(lattice.web.get(host.http, "/").await.unwrap().status, 200);
}
