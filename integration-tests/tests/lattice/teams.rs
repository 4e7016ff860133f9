//! Teams that share a lattice: what one offers, another may call; and only that, and only as long.

use std::sync::Arc;
use std::time::Duration;

use integration_tests::{TestHost, TestLattice, eventually};
use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, LinkRef, Status};
use wicker_lattice::id::{CallId, ObjectId, ProcessId};
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::types::TypeHash;

const GREETER: &str = "
application: greeter
team: words
components:
  greeter: { image: IMAGE, placement: { labels: { role: words } } }
exports:
  greet: { target: greeter, interfaces: example:greeter/greet, to: GRANT }
";

const GATEWAY: &str = "
application: gateway
team: front
components:
  gateway: { image: IMAGE, placement: { labels: { role: front } } }
links:
  gateway: { example:greeter: TARGET }
routes:
  /greet: gateway
";

/// Two teams, on a host each.
struct Teams {
    lattice: TestLattice,
    front: TestHost,
    _words: TestHost,
}

impl Teams {
    async fn start() -> Self {
        let lattice = TestLattice::start().await;
        let front = lattice.host(&["--label", "role=front"]).await;
        let words = lattice.host(&["--label", "role=words"]).await;
        Self { lattice, front, _words: words }
    }

    fn greeter(&self, grant: &str) -> String {
        let image = artifacts::example("greeter").display().to_string();
        self.lattice.manifest("greeter", &GREETER.replace("IMAGE", &image).replace("GRANT", grant))
    }

    fn gateway(&self, target: &str) -> String {
        let image = artifacts::example("gateway").display().to_string();
        self.lattice
            .manifest("gateway", &GATEWAY.replace("IMAGE", &image).replace("TARGET", target))
    }

    async fn greets(&self) -> bool {
        let answer = self.lattice.web.get(self.front.http, "/greet/Ada").await.unwrap();
        answer.status == 200
    }

    /// The state of the gateway's link, and why it is so.
    async fn link(&self) -> (String, String) {
        let ps = self.lattice.wicker(&["ps"]).await;
        let links = ps["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["source"] == "front/gateway/gateway").unwrap();
        let text = |field: &str| link[field].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grant_opens_a_link_and_taking_it_back_closes_it_on_both_sides() {
    let teams = Teams::start().await;
    let lattice = &teams.lattice;
    lattice.wicker(&["deploy", &teams.greeter("[other]")]).await;
    let refused = lattice.try_wicker(&["deploy", &teams.gateway("words/greeter/greet")]).await;
    let refused = refused.unwrap_err();
    let why = "gateway.yaml:7:31: words/greeter/greet is not offered to team `front`";
    assert!(refused.contains(why), "{refused}");
    let refused = lattice.try_wicker(&["deploy", &teams.gateway("words/greeter/greeter")]).await;
    assert!(refused.unwrap_err().contains("team `words` offers no words/greeter/greeter"));

    lattice.wicker(&["deploy", &teams.greeter("[front]")]).await;
    lattice.wicker(&["deploy", &teams.gateway("words/greeter/greet")]).await;
    assert!(teams.greets().await);
    assert_eq!(teams.link().await, ("ready".to_owned(), String::new()));
    let exports = lattice.wicker(&["exports"]).await;
    assert_eq!(exports[0]["to"][0]["used_by"][0], "front/gateway/gateway");

    let events = lattice.events().await;
    lattice.wicker(&["deploy", &teams.greeter("[other]")]).await;
    eventually("calls are denied", || async { (!teams.greets().await).then_some(()) }).await;
    let closed = "words/greeter/greet is not offered to team `front`".to_owned();
    assert_eq!(teams.link().await, ("closed".to_owned(), closed.clone()));
    let told = eventually("both sides are told", || async {
        let told = events.of("link-closed");
        (told.len() == 2).then_some(told)
    })
    .await;
    assert!(told.contains(&"words/greeter/greet is no longer offered to team `front`".to_owned()));
    assert!(told.contains(&format!("a link of front/gateway/gateway is closed: {closed}")));
    let status = lattice.wicker(&["status", "gateway"]).await;
    assert!(status.to_string().contains(&closed), "{status}");

    lattice.wicker(&["deploy", &teams.greeter("{front: {calls-per-second: 1000}}")]).await;
    eventually("calls pass again", || async { teams.greets().await.then_some(()) }).await;
    eventually("both sides are told", || async {
        (events.of("link-opened").len() >= 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_kept_where_the_callee_runs_and_new_types_need_the_importers_consent() {
    let teams = Teams::start().await;
    let lattice = &teams.lattice;
    let changed = artifacts::guest("greeter-changed").display().to_string();
    let text = GREETER.replace("IMAGE", &changed).replace("GRANT", "[front]");
    let changed = lattice.manifest("changed", &text);
    // Nobody is linked to it yet: it may be what it likes.
    lattice.wicker(&["deploy", &changed]).await;
    lattice.wicker(&["deploy", &teams.greeter("{front: {calls-per-second: 3}}")]).await;
    lattice.wicker(&["deploy", &teams.gateway("words/greeter/greet")]).await;
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        outcomes.push(teams.greets().await);
    }
    assert!(outcomes[0] && outcomes.contains(&false), "{outcomes:?}");
    eventually("it fills up again", || async { teams.greets().await.then_some(()) }).await;

    for verb in [&["deploy", &changed][..], &["rollback", "words/greeter"]] {
        let refused = lattice.try_wicker(verb).await.unwrap_err();
        for part in ["front/gateway/gateway", "example:greeter/greet@1.0.0", "`greet` as func("] {
            assert!(refused.contains(part), "{verb:?}: {refused}");
        }
    }
}

const STORES: &str = "
application: stores
team: data
providers:
  bucket: { process: keyvalue-nats }
exports:
  bucket: { interfaces: wasi:keyvalue, to: GRANT }
";

const COUNTER: &str = "
application: counter
team: front
components:
  counter: IMAGE
links:
  counter: { wasi:keyvalue: data/stores/bucket }
routes:
  /: counter
";

#[tokio::test(flavor = "multi_thread")]
async fn shared_provider_in_a_process_of_its_own_lets_in_whom_its_team_grants() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let stores = |grant: &str| lattice.manifest("stores", &STORES.replace("GRANT", grant));
    let image = artifacts::example("counter").display().to_string();
    lattice.wicker(&["deploy", &stores("{front: {config: {bucket: theirs}}}")]).await;
    lattice
        .wicker(&["deploy", &lattice.manifest("counter", &COUNTER.replace("IMAGE", &image))])
        .await;
    let counts = || async { lattice.web.get(host.http, "/").await.unwrap().status == 200 };
    assert!(counts().await);
    let client = async_nats::connect(lattice.nats.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("KV_theirs").await;
    assert!(stream.is_ok(), "the exporting team says which bucket");
    lattice.wicker(&["deploy", &stores("[other]")]).await;
    eventually("calls are denied", || async { (!counts().await).then_some(()) }).await;
    lattice.wicker(&["deploy", &stores("{front: {config: {bucket: theirs}}}")]).await;
    eventually("calls pass again", || async { counts().await.then_some(()) }).await;
}

/// A process that serves nothing.
struct Nothing;

impl Invoke for Nothing {
    fn invoke(&self, _call: Call) -> Invocation<'_> {
        Box::pin(async { Err(CallError::new(Status::NotFound, "nothing is served here")) })
    }
}

/// A call that some host let through, as it reaches whoever runs `target`.
pub(crate) async fn ask(
    lattice: &TestLattice,
    source: &str,
    target: &str,
    interface: &str,
) -> CallError {
    let target: ObjectId = target.parse().unwrap();
    let process = lattice.running(&target).await.unwrap()[0].process;
    ask_at(lattice, process, source, target, interface).await
}

/// As [`ask`], of one certain process.
pub(crate) async fn ask_at(
    lattice: &TestLattice,
    process: ProcessId,
    source: &str,
    target: ObjectId,
    interface: &str,
) -> CallError {
    let nats = Nats::connect(NatsConfig::at(lattice.nats.url())).await.unwrap();
    let config = RpcConfig::new("test", ProcessId::generate());
    let rpc = Rpc::start(config, &nats, Arc::new(Nothing)).await.unwrap();
    let call = Call {
        id: CallId::generate(),
        target,
        source: source.parse().unwrap(),
        link: LinkRef { name: "default".into(), revision: 0 },
        interface: interface.parse().unwrap(),
        function: "no-such-function".into(),
        type_hash: TypeHash([0; 8]),
        deadline: Instant::now() + Duration::from_secs(10),
        trace: None,
        fence: None,
        params: Default::default(),
        streams: Vec::new(),
    };
    let answer = rpc.remote(process).invoke(call).await;
    answer.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn callee_turns_away_whom_a_callers_host_let_through() {
    let teams = Teams::start().await;
    let lattice = &teams.lattice;
    lattice.wicker(&["deploy", &teams.greeter("[front]")]).await;
    let stores = STORES.replace("GRANT", "[front]");
    lattice.wicker(&["deploy", &lattice.manifest("stores", &stores)]).await;
    for (target, interface) in [
        ("words/greeter/greeter", "example:greeter/greet@1"),
        ("data/stores/bucket", "wasi:keyvalue/store@0.2.0-draft"),
    ] {
        let stranger = ask(lattice, "other/app/component", target, interface).await;
        assert_eq!(stranger.status, Status::Denied, "{stranger}");
        let why = "no export grants it to team `other`";
        assert!(stranger.message.contains(why), "{stranger}");
        let granted = ask(lattice, "front/app/component", target, interface).await;
        assert_eq!(granted.status, Status::NotFound, "{granted}");
    }
}
