//! Links across teams, the gate and its quotas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::call::{Call, CallError, Invocation, Invoke, LinkRef, Reply, Status};
use crate::id::CallId;
use crate::store::record::{Quota, Scope, Terms};
use crate::types::TypeHash;

const API: &str = "acme:stock/api@1";

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

fn export(to: &[(&str, Quota)]) -> Export {
    let terms = |(team, quota): &(&str, Quota)| {
        ((*team).to_owned(), Terms { quota: *quota, ..Terms::default() })
    };
    Export {
        id: id("inventory/stock/api"),
        target: id("inventory/stock/keeper"),
        interfaces: vec![Scope::Interface(API.parse().unwrap())],
        to: to.iter().map(terms).collect(),
    }
}

fn exports(to: &[(&str, Quota)]) -> Exports {
    let mut exports = Exports::default();
    exports.put(export(to), 7);
    exports
}

fn link(source: &str, target: &str) -> Link {
    Link {
        source: id(source),
        scope: Scope::Package("acme:stock@1".parse().unwrap()),
        name: "default".to_owned(),
        target: id(target),
        split: Vec::new(),
        secrets: Default::default(),
        config: BTreeMap::from([("table".to_owned(), "mine".to_owned())]),
        timeout_ms: None,
        idempotent: Vec::new(),
    }
}

fn call(source: &str, interface: &str, bytes: usize) -> Call {
    Call {
        id: CallId::generate(),
        target: id("inventory/stock/keeper"),
        source: id(source),
        link: LinkRef { name: "default".into(), revision: 0 },
        interface: interface.parse().unwrap(),
        function: "reserve".into(),
        type_hash: TypeHash([0; 8]),
        deadline: Instant::now() + Duration::from_secs(1),
        trace: None,
        fence: None,
        params: Bytes::from(vec![0; bytes]),
        streams: Vec::new(),
    }
}

struct Keeper;

impl Invoke for Keeper {
    fn invoke(&self, _call: Call) -> Invocation<'_> {
        Box::pin(async { Ok(Reply::default()) })
    }
}

async fn ask(gate: &Gate, source: &str) -> Result<(), CallError> {
    gate.answer(&Keeper, call(source, API, 0)).await.map(|_| ())
}

#[test]
fn link_to_another_team_leads_through_its_export() {
    let mut offered = export(&[("shop", Quota::default())]);
    let insisted = BTreeMap::from([("table".to_owned(), "theirs".to_owned())]);
    offered.to.get_mut("shop").unwrap().config = insisted.clone();
    let mut exports = Exports::default();
    exports.put(offered, 7);
    let (counting, revision) = exports.counting(&link("shop/web/web", "inventory/stock/api"), 3);
    assert_eq!((counting.target, revision), (id("inventory/stock/keeper"), 7));
    assert_eq!(counting.config, insisted);
}

#[test]
fn link_without_a_grant_is_closed_and_says_why() {
    let exports = exports(&[("shop", Quota::default())]);
    let why = |team: &str, target: &str| exports.lead(team, &id(target), None).closed;
    let none = why("shop", "inventory/stock/keeper").unwrap();
    assert_eq!(none, "team `inventory` offers no inventory/stock/keeper");
    let other = why("pay", "inventory/stock/api").unwrap();
    assert_eq!(other, "inventory/stock/api is not offered to team `pay`");
    assert_eq!(why("inventory", "inventory/stock/keeper"), None);
    let interface = "acme:stock/admin@1".parse().unwrap();
    let narrow = exports.lead("shop", &id("inventory/stock/api"), Some(&interface)).closed.unwrap();
    assert_eq!(narrow, "inventory/stock/api does not offer acme:stock/admin@1");
}

#[test]
fn provider_of_no_application_is_everybodys() {
    let mut exports = Exports::default();
    let store = id("default/keyvalue-redb/keyvalue-redb");
    assert_eq!(exports.lead("shop", &store, None).closed, None);
    exports.own(&store);
    assert!(exports.lead("shop", &store, None).closed.is_some());
}

#[tokio::test]
async fn stranger_is_let_in_by_a_grant_and_only_as_long_as_it_lasts() {
    let gate = Gate::default();
    assert_eq!(ask(&gate, "shop/web/web").await.unwrap_err().status, Status::Unavailable);
    assert_eq!(ask(&gate, "inventory/web/web").await, Ok(()));
    gate.set(&exports(&[("shop", Quota::default())]));
    assert_eq!(ask(&gate, "shop/web/web").await, Ok(()));
    assert_eq!(ask(&gate, "pay/web/web").await.unwrap_err().status, Status::Denied);
    let other = gate.answer(&Keeper, call("shop/web/web", "acme:stock/admin@1", 0)).await;
    assert_eq!(other.unwrap_err().status, Status::Denied);
    gate.set(&exports(&[]));
    assert_eq!(ask(&gate, "shop/web/web").await.unwrap_err().status, Status::Denied);
    assert_eq!(ask(&gate, "inventory/web/web").await, Ok(()));
}

#[tokio::test]
async fn listener_brings_requests_and_nothing_else() {
    let gate = Gate::default();
    gate.set(&Exports::default());
    let request = call(crate::id::LISTENER, crate::http::INTERFACE, 0);
    assert!(gate.answer(&Keeper, request).await.is_ok());
    assert_eq!(ask(&gate, crate::id::LISTENER).await.unwrap_err().status, Status::Denied);
}

fn is_over(gate: &Gate, call: &Call, now: Instant) -> bool {
    gate.admit(call, now).is_err_and(|error| error.status == Status::Overloaded)
}

#[tokio::test]
async fn calls_beyond_the_rate_are_refused_until_it_has_filled_up() {
    let gate = Gate::default();
    let quota = Quota { calls_per_second: Some(2), ..Quota::default() };
    gate.set(&exports(&[("shop", quota), ("pay", Quota::default())]));
    let (now, ours) = (Instant::now(), call("shop/web/web", API, 0));
    assert!(!is_over(&gate, &ours, now) && !is_over(&gate, &ours, now));
    let refused = gate.admit(&ours, now).unwrap_err();
    let expected =
        "team `shop` has used up its quota of inventory/stock/api: 2 calls a second on each host";
    assert_eq!((refused.status, refused.message.as_str()), (Status::Overloaded, expected));
    assert!(!is_over(&gate, &call("pay/web/web", API, 0), now), "others have their own");
    // What did not change goes on counting.
    gate.set(&exports(&[("shop", quota)]));
    assert!(is_over(&gate, &ours, now + Duration::from_millis(400)));
    assert!(!is_over(&gate, &ours, now + Duration::from_millis(1000)));
}

#[tokio::test]
async fn calls_at_once_count_until_their_streams_end() {
    let gate = Gate::default();
    gate.set(&exports(&[("shop", Quota { concurrency: Some(1), ..Quota::default() })]));
    let (now, ours) = (Instant::now(), call("shop/web/web", API, 0));
    let pass = gate.admit(&ours, now).unwrap();
    assert!(is_over(&gate, &ours, now));
    let stream = crate::call::ByteStream::from_bytes(Bytes::from_static(b"x"));
    let reply = pass.hold(Reply { streams: vec![stream], ..Reply::default() });
    assert!(is_over(&gate, &ours, now));
    drop(reply);
    assert!(!is_over(&gate, &ours, now));
}

#[tokio::test]
async fn bytes_beyond_the_rate_are_paid_by_the_next_calls() {
    let gate = Arc::new(Gate::default());
    gate.set(&exports(&[("shop", Quota { bytes_per_second: Some(100), ..Quota::default() })]));
    let (now, mut large) = (Instant::now(), call("shop/web/web", API, 250));
    gate.admit(&large, now).unwrap().take_arguments(&mut large);
    assert!(is_over(&gate, &large, now + Duration::from_millis(1400)));
    assert!(!is_over(&gate, &large, now + Duration::from_millis(1600)));
}
