//! The links that a provider knows, as they come and go.

use std::collections::BTreeMap;

use wicker_lattice::link::scopes;

use super::*;

fn record(scope: &str, revision: u64) -> LinkRecord {
    let scope = scope.parse().map(Scope::Package).or_else(|_| scope.parse().map(Scope::Interface));
    let link = Link {
        source: ObjectId::bare("shop").unwrap(),
        scope: scope.unwrap(),
        name: "default".to_owned(),
        target: ObjectId::bare("store").unwrap(),
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    };
    LinkRecord { link, revision }
}

struct Known {
    table: Table<()>,
    now: Instant,
}

impl Known {
    fn new() -> Self {
        Self { table: Table::default(), now: Instant::now() }
    }

    fn apply(&mut self, scope: &str, revision: u64) {
        self.table.apply(record(scope, revision), self.now);
    }

    fn remove(&mut self, scope: &str, revision: u64) {
        let link = record(scope, revision).link;
        self.table.remove(LinkName::of(&link), revision, self.now);
    }

    /// The revision that serves a call of `revision`, if any is known to.
    fn find(&self, interface: &str, revision: u64) -> Option<u64> {
        let link = LinkRef { name: "default".into(), revision };
        match self.table.find(&ObjectId::bare("shop").unwrap(), &interface.parse().unwrap(), &link)
        {
            Found::Use(entry) => Some(entry.record.revision),
            Found::Unknown => None,
        }
    }
}

#[tokio::test]
async fn call_that_pinned_a_revision_keeps_it() {
    let mut known = Known::new();
    known.apply("a:b@1", 3);
    known.apply("a:b@1", 7);
    assert_eq!(known.find("a:b/c@1", 3), Some(3));
    assert_eq!(known.find("a:b/c@1", 7), Some(7));
    // Never heard of, but older than what is known.
    assert_eq!(known.find("a:b/c@1", 5), Some(7));
}

#[tokio::test]
async fn call_that_knows_more_makes_the_link_be_read() {
    let mut known = Known::new();
    assert_eq!(known.find("a:b/c@1", 1), None);
    known.apply("a:b@1", 3);
    assert_eq!(known.find("a:b/c@1", 4), None);
    assert_eq!(known.find("x:y/c@1", 3), None);
}

#[tokio::test]
async fn news_may_come_late_and_twice() {
    let mut known = Known::new();
    known.apply("a:b@1", 7);
    known.apply("a:b@1", 3);
    known.apply("a:b@1", 7);
    known.remove("a:b@1", 5);
    assert_eq!(known.find("a:b/c@1", 6), Some(7));
}

#[tokio::test]
async fn link_that_is_gone_serves_who_pinned_it_for_a_while() {
    let mut known = Known::new();
    known.apply("a:b@1", 3);
    known.remove("a:b@1", 4);
    assert_eq!(known.find("a:b/c@1", 3), Some(3));
    assert_eq!(known.find("a:b/c@1", 4), None);
    let later = known.now + RETIRE_AFTER;
    assert!(known.table.has_retired(later));
    known.table.sweep(later);
    assert_eq!(known.find("a:b/c@1", 3), None);
    assert!(known.table.places.is_empty());
}

#[tokio::test]
async fn narrower_link_wins() {
    let mut known = Known::new();
    known.apply("a:b@1", 3);
    known.apply("a:b/c@1", 2);
    assert_eq!(known.find("a:b/c@1", 1), Some(2));
    assert_eq!(known.find("a:b/d@1", 1), Some(3));
}

#[test]
fn what_covers_an_interface_is_said_once() {
    let keys = [
        "a:b/c@1",
        "a:b/c@2",
        "a:b/d@1",
        "a:b/c",
        "wicker:http/handler@0.1",
        "wasi:http/client@0.3",
        "wicker:blobstore/blobs@0.1",
        "wasi:blobstore/container@0.2.0-draft",
    ];
    let keys = keys.map(|key| key.parse::<InterfaceKey>().unwrap());
    for interface in &keys {
        let allowed = scopes(interface);
        for other in &keys {
            for scope in [Scope::Interface(other.clone()), Scope::Package(other.package())] {
                assert_eq!(
                    covers(&scope, interface),
                    allowed.contains(&scope),
                    "{scope:?} {interface}"
                );
            }
        }
    }
}
