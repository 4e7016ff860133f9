//! SQL: a component that does not know where its database is, and transactions that end with whoever began them.

use std::sync::atomic::{AtomicBool, Ordering};

use integration_tests::{TestLattice, eventually};
use wicker_provider::testing::PostgresServer;

const PRODUCTION: &str = "
application: production
providers:
  db:
    builtin: sql-postgres
    config: { url: 'URL' }
";

#[tokio::test(flavor = "multi_thread")]
async fn notes_go_from_a_file_to_postgres_by_one_link() {
    let (lattice, server) = (TestLattice::start().await, PostgresServer::start());
    let host = lattice.host(&[&lattice.example("notes")]).await;
    let add = async |text: &str| {
        let answer = lattice.web.post(host.http, "/notes", text.to_owned().into()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().trim().to_owned()
    };
    let list = async |path: &str| {
        let answer = lattice.web.get(host.http, path).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let texts = answer.text();
        let texts = texts.lines().filter_map(|line| line.split_once(' '));
        texts.map(|(_, text)| text.to_owned()).collect::<Vec<_>>()
    };
    let set = async |args: &[&str]| {
        lattice.wicker(&[&["link", "set", "notes", "wicker:sql"], args].concat()).await;
    };
    assert_eq!(list("/notes").await, Vec::<String>::new());
    let milk = add("milk #shop").await;
    add("a walk").await;
    add("bread #shop #today").await;
    // Both or neither: the second tag of one name is refused, and so is the note.
    let twice = lattice.web.post(host.http, "/notes", "tea #shop #shop".into()).await.unwrap();
    assert_eq!(twice.status, 409, "{}", twice.text());
    assert_eq!(list("/notes?tag=shop").await, ["milk #shop", "bread #shop #today"]);

    // Pages so small that the component reads a cursor.
    set(&["sql-sqlite", "--config", "page-rows=1"]).await;
    assert_eq!(list("/notes").await, ["milk #shop", "a walk", "bread #shop #today"]);

    let manifest = lattice.manifest("production", &PRODUCTION.replace("URL", &server.url()));
    lattice.wicker(&["deploy", &manifest]).await;
    set(&["production/db", "--config", "page-rows=1"]).await;
    assert_eq!(list("/notes").await, Vec::<String>::new());
    let one = add("in production #now").await;
    add("and more").await;
    assert_eq!(list("/notes").await, ["in production #now", "and more"]);
    let twice = lattice.web.post(host.http, "/notes", "tea #now #now".into()).await.unwrap();
    assert_eq!(twice.status, 409, "{}", twice.text());
    assert_eq!(list("/notes?tag=now").await, ["in production #now"]);
    assert_ne!(one, milk);

    // What was in the file still is.
    set(&["sql-sqlite"]).await;
    assert_eq!(list("/notes").await, ["milk #shop", "a walk", "bread #shop #today"]);
}

/// The component on hosts that may die, its database on one that stays.
const BANK: &str = "
application: bank
components:
  teller:
    image: '{guests}/teller.wasm'
    limits: { deadline: 60s }
    placement: { labels: { role: work } }
providers:
  vault:
    builtin: sql-sqlite
    placement: { labels: { role: edge } }
links:
  teller:
    wicker:sql:
      target: vault
      config: { connections: '2', queue: '0', idle-ms: '2000' }
";

/// A database that two hosts serve; a transaction is on one of them.
const SHARED: &str = "
application: bank
components:
  teller:
    image: '{guests}/teller.wasm'
    placement: { labels: { role: work } }
providers:
  vault:
    builtin: sql-postgres
    replicas: 2
    config: { url: 'URL' }
    placement: { labels: { role: edge } }
links:
  teller:
    wicker:sql:
      target: vault
      config: { connections: '2', queue: '0' }
";

#[tokio::test(flavor = "multi_thread")]
async fn transaction_stays_on_the_host_that_began_it() {
    let (lattice, server) = (TestLattice::start().await, PostgresServer::start());
    let _first = lattice.host(&["--label", "role=edge"]).await;
    let _second = lattice.host(&["--label", "role=edge"]).await;
    let _worker = lattice.host(&["--label", "role=work"]).await;
    let manifest = lattice.manifest("bank", &SHARED.replace("URL", &server.url()));
    lattice.wicker(&["deploy", &manifest]).await;
    assert_eq!(ask(&lattice, "open", &[]).await, Ok("ok".to_owned()));
    // Whichever host begins one, all that follows goes there: the other knows nothing of it. A connection whose transaction
    // was dropped is rolled back before it is free, so now and then there is none.
    eventually("many transactions", || async {
        (ask(&lattice, "forget", &["5"]).await.ok()? == "ok").then_some(())
    })
    .await;
    for amount in 1..=10 {
        eventually("the teller pays", || async {
            (ask(&lattice, "pay", &[]).await.ok()? == "ok").then_some(())
        })
        .await;
        assert_eq!(ask(&lattice, "amount", &[]).await, Ok(format!("ok({amount})")));
    }
}

/// Calls the teller: what it said, or why not.
async fn ask(lattice: &TestLattice, function: &str, more: &[&str]) -> Result<String, String> {
    let call = ["call", "bank/teller", &format!("test:teller/teller.{function}")];
    let report = lattice.try_wicker(&[&call, more].concat()).await?;
    Ok(report["result"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_ends_with_its_caller_however_that_ends() {
    let lattice = TestLattice::start().await;
    let _edge = lattice.host(&["--label", "role=edge"]).await;
    let worker = lattice.host(&["--label", "role=work"]).await;
    lattice.wicker(&["deploy", &lattice.manifest("bank", BANK)]).await;
    let pays = async |amount: u32| {
        // A connection that a transaction has left is free a moment later.
        eventually("the teller pays", || async {
            (ask(&lattice, "pay", &[]).await.ok()? == "ok").then_some(())
        })
        .await;
        assert_eq!(ask(&lattice, "amount", &[]).await, Ok(format!("ok({amount})")));
    };
    assert_eq!(ask(&lattice, "open", &[]).await, Ok("ok".to_owned()));
    pays(1).await;
    // It forgets them: each is rolled back before the next begins, or there would be no connection for it.
    assert_eq!(ask(&lattice, "forget", &["50"]).await, Ok("ok".to_owned()));
    pays(2).await;
    let trapped = ask(&lattice, "trap", &[]).await.unwrap_err();
    assert!(trapped.contains("trapped"), "{trapped}");
    pays(3).await;
    let late = ask(&lattice, "hang", &["--timeout", "1"]).await.unwrap_err();
    assert!(late.contains("deadline"), "{late}");
    pays(4).await;

    // A host that dies without a word: the lease of what it left ends. Who asks whether the lock is held can itself
    // be in the way of who is to hold it, so that one tries until it does.
    let is_dead = AtomicBool::new(false);
    let hanging = async {
        let mut tries = 0;
        while !is_dead.load(Ordering::Acquire) {
            let ended = ask(&lattice, "hang", &["--timeout", "60"]).await;
            tries += 1;
            assert!(ended.is_err() && tries < 100, "{ended:?}");
        }
    };
    let dying = async {
        eventually("the lock is held", || async {
            ask(&lattice, "pay", &["--timeout", "1"]).await.is_err().then_some(())
        })
        .await;
        is_dead.store(true, Ordering::Release);
        worker.kill();
    };
    tokio::join!(hanging, dying);
    let _other = lattice.host(&["--label", "role=work"]).await;
    let before =
        eventually("the teller runs again", || async { ask(&lattice, "amount", &[]).await.ok() })
            .await;
    eventually("the teller pays", || async {
        (ask(&lattice, "pay", &["--timeout", "5"]).await.ok()? == "ok").then_some(())
    })
    .await;
    let after = ask(&lattice, "amount", &[]).await.unwrap();
    assert!(after != before, "{before} {after}");
}
