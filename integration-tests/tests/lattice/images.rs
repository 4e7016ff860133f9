//! Components from registries and web servers, each known by its digest once it is deployed.

use integration_tests::{Registry, TestLattice};
use serde_json::Value;

use crate::keep::version;

fn manifest(lattice: &TestLattice, image: &str) -> String {
    let text = format!("application: greeter\ncomponents:\n  greeter:\n    image: {image}\n");
    lattice.manifest("greeter", &text)
}

async fn greets(lattice: &TestLattice) -> Value {
    let called = lattice
        .wicker(&["call", "greeter", "greet", "{name: \"Ada\", titles: []}", "afternoon"])
        .await;
    called["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn component_goes_to_a_registry_and_comes_back_by_tag_and_by_digest() {
    let (registry, lattice) = (Registry::start().await, TestLattice::start().await);
    let _host = lattice.host(&[]).await;
    let credentials = registry.credentials();
    let login = [("DOCKER_CONFIG", credentials.as_path())];
    let tag = format!("oci://{}/acme/greeter:1.0", registry.host());

    let nobody = [("DOCKER_CONFIG", lattice.folder())];
    let refused = lattice.wicker_with(&nobody, &["push", &version(&lattice, 1), &tag]).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains(&format!("docker login {}", registry.host())), "{refused}");

    let first = lattice.wicker_with(&login, &["push", &version(&lattice, 1), &tag]).await.unwrap();
    let again = lattice.wicker_with(&login, &["push", &version(&lattice, 1), &tag]).await.unwrap();
    assert_eq!(first, again, "the same component is the same artifact");
    let artifact = registry.get("acme/greeter/manifests/1.0").await;
    assert_eq!(artifact["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(artifact["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(artifact["layers"][0]["digest"], first["image"]);
    let config = artifact["config"]["digest"].as_str().unwrap();
    let config = registry.get(&format!("acme/greeter/blobs/{config}")).await;
    assert_eq!(config["layerDigests"][0], first["image"]);
    assert_eq!(config["component"]["exports"][0], "example:greeter/greet@1.0.0");

    let by_tag = manifest(&lattice, &tag);
    lattice.wicker_with(&login, &["deploy", &by_tag]).await.unwrap();
    assert_eq!(greets(&lattice).await, "ok(\"Good afternoon, Ada!\")");
    let same = lattice.wicker_with(&login, &["deploy", &by_tag]).await.unwrap();
    assert_eq!(same["applications"][0]["changes"].as_array().unwrap().len(), 0);
    assert!(same["applications"][0]["notes"][0].as_str().unwrap().ends_with("as before"));

    let second = lattice.wicker_with(&login, &["push", &version(&lattice, 2), &tag]).await.unwrap();
    let moved = lattice.wicker_with(&login, &["deploy", &by_tag]).await.unwrap();
    let note = moved["applications"][0]["notes"][0].as_str().unwrap();
    let (now, before) = (second["image"].as_str().unwrap(), first["image"].as_str().unwrap());
    assert!(note.contains(&format!("{now} by now; it was {before}")), "{note}");

    let pinned = manifest(&lattice, first["pinned"].as_str().unwrap());
    lattice.wicker_with(&login, &["deploy", &pinned]).await.unwrap();
    let component = lattice.wicker(&["inspect", "greeter"]).await;
    assert_eq!(component["component"]["digest"], first["image"]);

    let missing = manifest(&lattice, &format!("oci://{}/acme/greeter:9", registry.host()));
    let error = lattice.wicker_with(&login, &["deploy", &missing]).await.unwrap_err();
    assert!(error.contains("greeter.yaml:4:12") && error.contains("has no"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn component_comes_from_a_web_server_and_counts_by_its_digest() {
    let lattice = TestLattice::start().await;
    let hello = artifacts::example("hello");
    let server = lattice.host(&[&hello.display().to_string()]).await;
    // A web server that has no component there.
    let wrong = manifest(&lattice, &format!("http://{}/greeter.wasm", server.http));
    let error = lattice.try_wicker(&["deploy", &wrong]).await.unwrap_err();
    assert!(error.contains("greeter.yaml:4:12"), "{error}");
    let folder = greeter_folder(&lattice);
    let (child, address) = serve(&folder).await;
    let image = manifest(&lattice, &format!("http://{address}/greeter.wasm"));
    lattice.wicker(&["deploy", &image]).await;
    assert_eq!(greets(&lattice).await, "ok(\"Good afternoon, Ada!\")");
    drop(child);
}

fn greeter_folder(lattice: &TestLattice) -> std::path::PathBuf {
    let folder = lattice.folder().join("web");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(artifacts::example("greeter"), folder.join("greeter.wasm")).unwrap();
    folder
}

/// Serves the files of a folder, by Python's own server.
async fn serve(folder: &std::path::Path) -> (tokio::process::Child, String) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = address.port().to_string();
    let child = tokio::process::Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"])
        .arg(folder)
        .arg(port)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    integration_tests::eventually("the web server listens", || async {
        tokio::net::TcpStream::connect(address).await.ok()
    })
    .await;
    (child, address.to_string())
}
