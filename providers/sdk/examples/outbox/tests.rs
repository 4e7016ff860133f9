//! The provider that docs/providers.md shows: it is what the page says, and it works.

use std::sync::Arc;

use wicker_provider::lattice::call::{LinkRef, Status};
use wicker_provider::lattice::id::ObjectId;
use wicker_provider::lattice::link::Binding;
use wicker_provider::lattice::store::record::{Link, Scope};
use wicker_provider::link::NoLinkSource;
use wicker_provider::{Builtin, Client, Environment, LinkRecord, ProviderStart};

use crate::outbox::{self, Error, Letter};

#[test]
fn page_shows_the_provider_as_it_is() {
    let page = include_str!("../../../../docs/providers.md");
    let (code, wit) = (include_str!("main.rs"), include_str!("outbox.wit"));
    assert!(page.contains(code.trim_end()), "docs/providers.md shows another main.rs");
    assert!(page.contains(wit.trim_end()), "docs/providers.md shows another outbox.wit");
    assert!(code.lines().count() < 100, "a simple provider fits 100 lines");
}

#[tokio::test]
async fn letters_are_numbered_and_go_only_where_the_link_allows() {
    let folder = tempfile::tempdir().unwrap();
    let id = ObjectId::bare("outbox").unwrap();
    let environment = Environment {
        lattice: "test".to_owned(),
        id: id.clone(),
        process: wicker_provider::lattice::id::ProcessId::generate(),
        data_dir: folder.path().to_owned(),
        nats: None,
        tasks: wicker_process::Tasks::default(),
    };
    let start = ProviderStart {
        environment,
        config: serde_json::Value::Null,
        links: Arc::new(NoLinkSource),
        calls: Arc::new(NoLinkSource),
    };
    let instance = Builtin::of::<crate::Outbox>().start(start).await.unwrap();
    let source = ObjectId::bare("shop").unwrap();
    let config = [("from", "shop@example.com"), ("domains", "example.com")];
    let link = Link {
        source: source.clone(),
        scope: Scope::Package("demo:mail@1".parse().unwrap()),
        name: "default".to_owned(),
        target: id.clone(),
        secrets: Default::default(),
        config: config.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    };
    instance.apply_link(LinkRecord { link, revision: 1 }).await.unwrap();

    let link = LinkRef { name: "default".into(), revision: 1 };
    let client =
        Client::new(source, Binding { target: id, link, invoke: Arc::clone(&instance) as _ });
    let outbox = outbox::Client::new(client);
    let letter =
        |to: &str| Letter { to: to.to_owned(), subject: "Hello".to_owned(), body: "!".to_owned() };
    assert_eq!(outbox.send(letter("a@example.com")).await.unwrap(), Ok(0));
    assert_eq!(outbox.send(letter("b@example.com")).await.unwrap(), Ok(1));
    let refused = outbox.send(letter("c@elsewhere.org")).await.unwrap();
    assert_eq!(refused, Err(Error::Refused("c@elsewhere.org".to_owned())));
    let text = std::fs::read_to_string(folder.path().join("1.eml")).unwrap();
    assert_eq!(text, "From: shop@example.com\nTo: b@example.com\nSubject: Hello\n\n!\n");
    instance.drain().await;
    assert_eq!(outbox.send(letter("a@example.com")).await.unwrap_err().status, Status::Draining);
}
