//! What verbs print holds no secret.

use integration_tests::TestLattice;

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_shows_a_password_of_a_provider_or_link() {
    let lattice = TestLattice::start().await;
    let _host = lattice.host(&[&lattice.example("counter")]).await;
    let manifest = lattice.manifest(
        "secret",
        "application: secret\nproviders:\n  store:\n    builtin: keyvalue-redis\n    config: {url: 'redis://:hunter2@127.0.0.1:1'}\n",
    );
    lattice.wicker(&["deploy", "--detach", &manifest]).await;
    let config = "url=redis://someone:hunter2@127.0.0.1:1/0";
    let set = ["link", "set", "counter", "wasi:keyvalue", "secret/store", "--config", config];
    let (code, set) = lattice.exit_code(&set).await;
    assert_eq!((code, set[0]["state"].as_str()), (Some(1), Some("failing")), "{set}");
    assert!(!set.to_string().contains("hunter2"), "{set}");
    for verb in
        [&["inspect", "secret/store"][..], &["inspect", "counter"], &["ps"], &["link", "ls"]]
    {
        let shown = lattice.wicker(verb).await.to_string();
        assert!(!shown.contains("hunter2"), "{verb:?}: {shown}");
        assert!(verb == ["ps"] || shown.contains("redis://***@127.0.0.1:1"), "{verb:?}: {shown}");
    }
}
