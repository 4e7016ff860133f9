//! Which links bare components get: pure.
//!
//! An import that exactly one other bare component exports leads there. What is left of `wasi:keyvalue`, blobs,
//! messages, SQL and outgoing HTTP leads to a default provider. Everything else waits for the user; so does what two components could serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::Entry;
use wicker_lattice::store::record::{Link, Scope};
use wicker_lattice::types::World;
use wicker_reconciler::compat::mismatches;
use wicker_reconciler::known;

use crate::link::resolve::link_for;

/// A bare component, of this host or of another.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) id: ObjectId,
    pub(super) world: Arc<World>,
}

/// The links that `peers` lack, beside those that exist.
pub(super) fn links(peers: &[Peer], existing: &[Link]) -> Vec<Link> {
    let mut made: BTreeMap<String, Link> = BTreeMap::new();
    for peer in peers {
        let own: Vec<Entry<Link>> =
            existing.iter().filter(|link| link.source == peer.id).map(entry).collect();
        let imports = peer.world.imports.keys().filter(|import| !known::is_host_served(import));
        for import in imports.filter(|import| link_for(import, &own).is_none()) {
            if let Some(target) = target(peer, import, peers) {
                let link = link(&peer.id, import, target);
                made.insert(wicker_lattice::store::Record::key(&link), link);
            }
        }
    }
    made.into_values().collect()
}

/// The default provider that a link leads to, if it leads to one.
pub(super) fn default_of(link: &Link) -> Option<&'static str> {
    ["keyvalue-redb", "messaging-nats", "sql-sqlite", "blobstore-fs", "http-client"]
        .into_iter()
        .find(|name| ObjectId::bare(name).is_ok_and(|default| default == link.target))
}

fn target(peer: &Peer, import: &InterfaceName, peers: &[Peer]) -> Option<ObjectId> {
    if !known::is_http_import(import) {
        let functions = peer.world.imports.get(import)?;
        let mut serving = peers.iter().filter(|other| {
            other.id != peer.id && mismatches(import, functions, &other.world).is_empty()
        });
        match (serving.next(), serving.next()) {
            (Some(only), None) => return Some(only.id.clone()),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
    }
    known::default_provider(import).and_then(|name| ObjectId::bare(name).ok())
}

fn link(source: &ObjectId, import: &InterfaceName, target: ObjectId) -> Link {
    Link {
        source: source.clone(),
        scope: Scope::Package(import.key().package()),
        name: DEFAULT_LINK.to_owned(),
        target,
        secrets: Default::default(),
        config: BTreeMap::new(),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

fn entry(link: &Link) -> Entry<Link> {
    Entry { key: String::new(), record: link.clone(), revision: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wicker_lattice::types::{FunctionType, Functions};

    fn functions() -> Functions {
        Functions::from([(
            "call".to_owned(),
            FunctionType { params: Vec::new(), result: None, is_async: false },
        )])
    }

    fn peer(name: &str, imports: &[&str], exports: &[&str]) -> Peer {
        let side = |names: &[&str]| {
            names.iter().map(|name| (name.parse().unwrap(), functions())).collect()
        };
        let world = World { imports: side(imports), exports: side(exports) };
        Peer { id: ObjectId::bare(name).unwrap(), world: Arc::new(world) }
    }

    fn made(peers: &[Peer], existing: &[Link]) -> Vec<String> {
        let links = links(peers, existing);
        links
            .iter()
            .map(|link| {
                format!("{} {} {}", link.source.name(), link.scope.as_str(), link.target.name())
            })
            .collect()
    }

    #[test]
    fn import_is_linked_to_the_only_export() {
        let peers = [
            peer("gateway", &["shop:greet/api@1.2.0"], &[]),
            peer("greeter", &[], &["shop:greet/api@1.0.0"]),
        ];
        assert_eq!(made(&peers, &[]), ["gateway shop:greet@1 greeter"]);
    }

    #[test]
    fn choice_between_two_is_the_users() {
        let peers = [
            peer("gateway", &["shop:greet/api"], &[]),
            peer("one", &[], &["shop:greet/api"]),
            peer("two", &[], &["shop:greet/api"]),
        ];
        assert!(made(&peers, &[]).is_empty());
    }

    #[test]
    fn keyvalue_sql_http_and_messages_have_defaults_and_what_the_host_serves_needs_none() {
        let imports = [
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
            "wasi:http/outgoing-handler@0.2.3",
            "wasi:http/types@0.2.3",
            "wasi:io/streams@0.2.3",
            "wasmcloud:messaging/consumer@0.2.0",
            "wicker:sql/database@0.1.0",
        ];
        let peers = [peer("counter", &imports, &["wasi:http/incoming-handler@0.2.3"])];
        assert_eq!(
            made(&peers, &[]),
            [
                "counter wasi:http@0.2 http-client",
                "counter wasi:keyvalue@0.2.0-draft keyvalue-redb",
                "counter wasmcloud:messaging@0.2 messaging-memory",
                "counter wicker:sql@0.1 sql-sqlite"
            ]
        );
    }

    #[test]
    fn link_that_exists_stays() {
        let peers = [peer("counter", &["wasi:keyvalue/store@0.2.0-draft"], &[])];
        let import = "wasi:keyvalue/store@0.2.0-draft".parse().unwrap();
        let existing = link(&peers[0].id, &import, ObjectId::bare("mine").unwrap());
        assert!(made(&peers, &[existing]).is_empty());
    }
}
