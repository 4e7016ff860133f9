//! Which target each import of one source leads to, from the link records: pure.
//!
//! A link for the exact interface wins over one for its package. HTTP over a link has one wire interface, whichever
//! version of `wasi:http` the component was built for, so a link under any of its packages serves it.

use std::collections::BTreeSet;
use std::sync::Arc;

use wicker_lattice::call::{DEFAULT_LINK, LinkRef};
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::link::{Binding, Links, scopes};
use wicker_lattice::store::Entry;
use wicker_lattice::store::record::{Link, Scope, Share};
use wicker_lattice::weighted::Weighted;
use wicker_reconciler::known;

/// What the imports of one source lead to.
#[derive(Debug)]
pub struct Resolved {
    /// For the source's actor or provider; several where targets share the calls of a link.
    pub links: Weighted<Arc<Links>>,
    /// The targets, to see whether they run.
    pub targets: Vec<ObjectId>,
    /// Which import leads to which target, to see whether it offers what is imported.
    pub led: Vec<(InterfaceName, ObjectId)>,
    /// Imports that need a link and have none.
    pub missing: Vec<InterfaceKey>,
    /// Why calls through some imports are denied: their links lead to what another team does not grant.
    pub closed: Vec<String>,
}

/// What one import leads to through a link.
#[derive(Debug)]
pub struct Bound {
    /// For calls.
    pub binding: Binding,
    /// Why they are denied; `None`: they are not.
    pub closed: Option<String>,
}

/// The link that covers `import`, among those of one source: a narrower one wins.
#[must_use]
pub fn link_for<'a>(import: &InterfaceName, links: &'a [Entry<Link>]) -> Option<&'a Entry<Link>> {
    let wire = known::wire_import(import);
    let by_scope = |scope: &Scope| {
        links.iter().find(|link| link.record.name == DEFAULT_LINK && link.record.scope == *scope)
    };
    scopes(&wire).iter().find_map(by_scope)
}

/// Resolves `imports` over the links of one source; `bind` makes what a link's calls of an interface to one of its targets
/// go through.
pub fn resolve(
    imports: &[InterfaceName],
    links: &[Entry<Link>],
    bind: impl Fn(&Entry<Link>, &ObjectId, &InterfaceKey) -> Bound,
) -> Resolved {
    let (mut targets, mut led, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut keys, mut shared, mut closed) = (Vec::new(), Vec::new(), BTreeSet::new());
    for import in imports.iter().filter(|import| !known::is_host_served(import)) {
        let Some(link) = link_for(import, links) else {
            missing.push(import.key());
            continue;
        };
        let wire = known::wire_import(import);
        for target in link.record.targets() {
            match bind(link, target, &wire) {
                Bound { closed: Some(why), .. } => _ = closed.insert(why),
                Bound { binding: Binding { target, .. }, closed: None } => {
                    led.push((import.clone(), target.clone()));
                    if !targets.contains(&target) {
                        targets.push(target);
                    }
                }
            }
        }
        shared.push(share(&link.record, |target| bind(link, target, &wire).binding));
        keys.push([wire, import.key()]);
    }
    let links = Weighted::together(&shared, |drawn| {
        let each = keys.iter().zip(drawn);
        let both = |(keys, binding): (&[InterfaceKey; 2], &Binding)| {
            keys.clone().map(|key| (key, binding.clone()))
        };
        Arc::new(Links::new(each.flat_map(both).collect()))
    });
    Resolved { links, targets, led, missing, closed: closed.into_iter().collect() }
}

/// What `make` makes of each target of a link, by its share of the calls.
fn share<T>(link: &Link, make: impl Fn(&ObjectId) -> T) -> Weighted<T> {
    let shares = Share::all(&link.target, &link.split);
    let each = shares.iter().map(|share| (make(&share.target), share.weight));
    Weighted::new(each).unwrap_or_else(|| make(&link.target).into())
}

/// How a call names the link it came through.
#[must_use]
pub fn link_ref(link: &Link, revision: u64) -> LinkRef {
    LinkRef { name: link.name.as_str().into(), revision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Status};

    struct Nobody;

    impl Invoke for Nobody {
        fn invoke(&self, _call: Call) -> Invocation<'_> {
            Box::pin(async { Err(CallError::new(Status::Unavailable, "nobody")) })
        }
    }

    fn link(scope: Scope, target: &str, revision: u64) -> Entry<Link> {
        let (source, target) =
            ("t/a/source".parse().unwrap(), ObjectId::new("t", "a", target).unwrap());
        let (config, name) = (BTreeMap::new(), DEFAULT_LINK.to_owned());
        let record = Link {
            source,
            scope,
            name,
            target,
            split: Vec::new(),
            secrets: Default::default(),
            config,
            timeout_ms: None,
            idempotent: Vec::new(),
        };
        Entry { key: String::new(), record, revision }
    }

    /// Reads a key as if it were a name.
    fn name(text: &str) -> InterfaceName {
        let full = [text.to_owned(), format!("{text}.0"), format!("{text}.0.0")];
        full.iter().find_map(|text| text.parse().ok()).unwrap()
    }

    fn package(text: &str) -> Scope {
        Scope::Package(text.parse().unwrap())
    }

    fn interface(text: &str) -> Scope {
        Scope::Interface(text.parse().unwrap())
    }

    fn run(imports: &[&str], links: &[Entry<Link>]) -> Resolved {
        let imports: Vec<InterfaceName> = imports.iter().map(|text| name(text)).collect();
        resolve(&imports, links, |link, target, _interface| {
            let (target, invoke) = (target.clone(), Arc::new(Nobody));
            let link = link_ref(&link.record, link.revision);
            Bound { binding: Binding { target, link, invoke }, closed: None }
        })
    }

    fn target(resolved: &Resolved, import: &str) -> String {
        let source = "t/a/source".parse().unwrap();
        resolved
            .links
            .at(0)
            .resolve(&source, &import.parse().unwrap())
            .unwrap()
            .target
            .name()
            .to_owned()
    }

    #[test]
    fn interface_wins_over_package() {
        let links = [
            link(package("wasi:keyvalue@0.2.0-draft"), "redb", 1),
            link(interface("wasi:keyvalue/atomics@0.2.0-draft"), "redis", 2),
        ];
        let resolved =
            run(&["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft"], &links);
        assert_eq!(target(&resolved, "wasi:keyvalue/store@0.2.0-draft"), "redb");
        assert_eq!(target(&resolved, "wasi:keyvalue/atomics@0.2.0-draft"), "redis");
        assert_eq!(resolved.targets.len(), 2);
    }

    #[test]
    fn targets_that_share_a_link_are_drawn_once_for_a_call() {
        let mut shared = link(package("shop:cart@1"), "old", 1);
        let each = |name, weight| Share { target: ObjectId::new("t", "a", name).unwrap(), weight };
        shared.record.split = vec![each("old", 90), each("new", 10)];
        let plain = link(package("wasi:keyvalue@0.2.0-draft"), "redb", 2);
        let imports = ["shop:cart/api@1", "shop:cart/admin@1", "wasi:keyvalue/store@0.2.0-draft"];
        let resolved = run(&imports, &[shared, plain]);
        assert_eq!(resolved.targets.len(), 3);
        let source = "t/a/source".parse().unwrap();
        let drawn = |draw| {
            let links = resolved.links.at(draw);
            imports.map(|import| {
                let binding = links.resolve(&source, &import.parse().unwrap()).unwrap();
                binding.target.name().to_owned()
            })
        };
        assert_eq!(drawn(0), ["old", "old", "redb"]);
        assert_eq!(drawn(u32::MAX), ["new", "new", "redb"]);
        assert_eq!(resolved.links.values().count(), 2);
    }

    #[test]
    fn import_without_link_is_missing_and_what_the_host_serves_is_not() {
        let resolved = run(
            &[
                "wasi:cli/stdout@0.2",
                "wasi:http/types@0.2",
                "wasi:io/streams@0.2",
                "shop:cart/api",
                "wasi:keyvalue/store@0.2.0-draft2",
            ],
            &[link(package("wasi:keyvalue@0.2.0-draft"), "redb", 1)],
        );
        let missing: Vec<_> = resolved.missing.iter().map(InterfaceKey::as_str).collect();
        assert_eq!(missing, ["shop:cart/api", "wasi:keyvalue/store@0.2.0-draft2"]);
    }

    #[test]
    fn http_is_one_wire_interface_under_any_of_its_packages() {
        for scope in ["wasi:http@0.2", "wasi:http@0.3"] {
            for import in ["wasi:http/outgoing-handler@0.2", "wasi:http/client@0.3"] {
                let resolved = run(&[import], &[link(package(scope), "http-client", 7)]);
                assert_eq!(
                    target(&resolved, wicker_lattice::http::INTERFACE),
                    "http-client",
                    "{import} through {scope}"
                );
                assert!(resolved.missing.is_empty());
            }
        }
    }
}
