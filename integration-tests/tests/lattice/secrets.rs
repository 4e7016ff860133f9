//! Secrets reach who needs them, and nobody else: not what verbs print, nor anything that is kept.

use std::path::Path;

use integration_tests::{Redis, TestHost, TestLattice, eventually};
use serde_json::Value;

/// What no place but a component or a provider may ever hold.
const VALUE: &str = "hunter2-in-the-clear";

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

const KEEPER: &str = "
application: keeper
components:
  keeper:
    image: '{guests}/keeper.wasm'
    secrets: { key: api-key, missing: gone }
";

/// Sets a secret, as an operator would.
async fn set(lattice: &TestLattice, name: &str, value: &str) {
    let file = lattice.folder().join("value");
    std::fs::write(&file, value).unwrap();
    lattice.wicker(&["secret", "set", name, "--from-file", file.to_str().unwrap()]).await;
}

async fn reveal(lattice: &TestLattice, function: &str, name: &str) -> String {
    let name = format!("\"{name}\"");
    let function = format!("test:keeper/keeper.{function}");
    lattice.wicker(&["call", "keeper", &function, &name]).await["result"].to_string()
}

async fn reveals(lattice: &TestLattice, name: &str, expected: &str) {
    eventually("the component reveals it", || async {
        let both = [
            reveal(lattice, "reveal", name).await,
            reveal(lattice, "reveal-as-wasmcloud", name).await,
        ];
        both.iter().all(|each| each.contains(expected)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_reveals_what_it_was_granted_and_sees_it_change_while_it_runs() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    for name in ["api-key", "gone", "other"] {
        set(&lattice, name, &format!("{VALUE}-of-{name}")).await;
    }
    lattice.wicker(&["deploy", &lattice.manifest("keeper", KEEPER)]).await;
    reveals(&lattice, "key", &format!("ok(\\\"{VALUE}-of-api-key\\\")")).await;
    assert!(reveal(&lattice, "reveal", "api-key").await.contains("NotGranted"));
    assert!(reveal(&lattice, "reveal", "other").await.contains("NotGranted"));
    assert!(reveal(&lattice, "reveal-as-wasmcloud", "other").await.contains("NotFound"));

    set(&lattice, "api-key", &format!("{VALUE}-rotated")).await;
    reveals(&lattice, "key", &format!("{VALUE}-rotated")).await;
    lattice.wicker(&["secret", "rm", "gone"]).await;
    reveals(&lattice, "missing", "NotFound").await;
    let forget = ["call", "keeper", "test:keeper/keeper.forget", "\"key\"", "20000"];
    assert_eq!(lattice.wicker(&forget).await["result"], "ok");

    nothing_holds_it(&lattice, &host).await;
    let listed = lattice.wicker(&["secret", "ls"]).await;
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().filter_map(|row| row["secret"].as_str()).collect();
    assert_eq!(names, ["default/api-key", "default/other"], "{listed}");
    // Only who has the key may ask for a value.
    let key = lattice.folder().join("host-0/secrets.key").display().to_string();
    let got = lattice.wicker(&["secret", "get", "api-key", "--secrets-key", &key]).await;
    assert_eq!(got["value"], format!("{VALUE}-rotated"));
    let refused = lattice.try_wicker(&["secret", "get", "api-key", "--secrets-key", "/none"]).await;
    assert!(refused.unwrap_err().contains("--secrets-key"));
}

/// Looks through all that is kept or shown of a lattice.
async fn nothing_holds_it(lattice: &TestLattice, host: &TestHost) {
    let backup = lattice.folder().join("lattice.backup");
    lattice.wicker(&["backup", backup.to_str().unwrap()]).await;
    let mut places = vec![
        ("the host's log", std::fs::read_to_string(&host.log).unwrap()),
        ("the backup", String::from_utf8_lossy(&std::fs::read(&backup).unwrap()).into_owned()),
    ];
    for verb in [
        &["ps"][..],
        &["inspect", "keeper"],
        &["status"],
        &["history", "keeper"],
        &["link", "ls"],
        &["secret", "ls"],
    ] {
        places.push((verb[0], lattice.wicker(verb).await.to_string()));
    }
    places.push(("logs", format!("{:?}", lattice.wicker_lines(&["logs", "keeper"]).await)));
    for (place, text) in places {
        assert!(!text.is_empty() && !text.contains(VALUE), "{place} holds the secret: {text}");
    }
    // Everything that the lattice's state, and the data directory, have on the disk: every record of every revision.
    for folder in [lattice.nats.data(), lattice.folder().join("host-0").as_path()] {
        let found = holding(folder, VALUE.as_bytes());
        assert!(found.is_empty(), "{found:?} hold the secret");
    }
}

/// The files below `folder` that hold `bytes`.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if let Ok(read) = std::fs::read(&path)
            && read.windows(bytes.len()).any(|part| part == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

const COUNTERS: &str = "
application: counters
components:
  linked: COUNTER
  configured: COUNTER
  launched: COUNTER
providers:
  plain: keyvalue-redis
  own:
    builtin: keyvalue-redis
    config: { url: { secret: redis-url } }
  process:
    process: keyvalue-redis
    config: { url: { secret: redis-url } }
links:
  linked:
    wasi:keyvalue: { target: plain, config: { url: { secret: redis-url } } }
  configured:
    wasi:keyvalue: own
  launched:
    wasi:keyvalue: process
routes:
  /linked: linked
  /configured: configured
  /launched: launched
";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_provider_and_of_a_link_is_rotated_while_they_run() {
    let lattice = TestLattice::start().await;
    let (old, new) =
        tokio::join!(Redis::start_asking("old-hunter2"), Redis::start_asking("new-hunter2"));
    let host = lattice.host(&[]).await;
    let counter = artifacts::example("counter").display().to_string();
    let manifest = lattice.manifest("counters", &COUNTERS.replace("COUNTER", &counter));
    let refused = lattice.try_wicker(&["deploy", &manifest]).await.unwrap_err();
    assert!(refused.contains("there is no secret `redis-url`"), "{refused}");
    set(&lattice, "redis-url", &old.url()).await;
    lattice.wicker(&["deploy", &manifest]).await;
    let paths = ["/linked", "/configured", "/launched"];
    for path in paths {
        for count in ["1", "2"] {
            let answer = lattice.web.get(host.http, path).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.text().trim()), (200, count), "{path}");
        }
    }
    let launched = host.children();
    // A value that does not work changes nothing but the health.
    set(&lattice, "redis-url", "redis://:wrong-hunter2@127.0.0.1:1").await;
    for object in ["plain", "own", "process"] {
        let id = format!("default/counters/{object}").parse().unwrap();
        eventually("it says that it goes on with the old one", || async {
            let running = lattice.running(&id).await?;
            let reason = running.first()?.reason.clone()?;
            assert!(!reason.contains("hunter2"), "{reason}");
            reason.contains("goes on with the old").then_some(())
        })
        .await;
    }
    for path in paths {
        assert_eq!(lattice.web.get(host.http, path).await.unwrap().text().trim(), "3", "{path}");
    }
    set(&lattice, "redis-url", &new.url()).await;
    for path in paths {
        // The new one begins at one; no request fails on the way there.
        eventually("it counts in the new store", || async {
            let answer = lattice.web.get(host.http, path).await.unwrap();
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            (answer.text().trim() == "1").then_some(())
        })
        .await;
    }
    assert_eq!(host.children(), launched, "its process goes on");
    let log = std::fs::read_to_string(&host.log).unwrap();
    assert!(!log.contains("hunter2"), "{log}");
    let shown = [lattice.wicker(&["ps"]).await, lattice.wicker(&["inspect", "own"]).await];
    assert!(shown.iter().all(|shown| !shown.to_string().contains("hunter2")), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_with_files_of_secrets_serve_what_others_cannot_read() {
    let lattice = TestLattice::start().await;
    let folder = lattice.folder().to_owned();
    let file = |name: &str| folder.join(name).display().to_string();
    // A host whose file is sealed; the key is one that a host made.
    let (sealed, key) = (file("secrets.age"), file("secrets.key"));
    std::fs::write(folder.join("value"), VALUE).unwrap();
    let value = file("value");
    assert!(lattice.host_in(&folder.join("maker"), &[]).await.stop().await.success());
    std::fs::copy(folder.join("maker/secrets.key"), &key).unwrap();
    let store = ["--store", sealed.as_str(), "--secrets-key", key.as_str()];
    for name in ["api-key", "gone"] {
        let set = [&["secret", "set", name, "--from-file", &value], &store[..]].concat();
        lattice.wicker(&set).await;
    }
    assert!(!std::fs::read_to_string(&sealed).unwrap().contains(VALUE));
    let _host = lattice.host(&["--secrets", &sealed, "--secrets-key", &key]).await;
    let manifest = lattice.manifest("keeper", KEEPER);
    eventually("the names of its secrets are known", || async {
        lattice.try_wicker(&["deploy", &manifest]).await.ok()
    })
    .await;
    reveals(&lattice, "key", VALUE).await;
    std::fs::write(folder.join("value"), "rotated").unwrap();
    lattice
        .wicker(&[&["secret", "set", "api-key", "--from-file", &value], &store[..]].concat())
        .await;
    reveals(&lattice, "key", "ok(\\\"rotated\\\")").await;
    let listed: Value = lattice.wicker(&[&["secret", "ls"], &store[..]].concat()).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}
