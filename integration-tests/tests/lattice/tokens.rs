//! Who may act for a team: who has its token, at the command line and past it.

use integration_tests::{TestLattice, eventually};
use serde_json::Value;
use wicker_lattice::call::Status;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Approvals, Authority, Component, Export, Terms};
use wicker_lattice::token::digest;
use wicker_lattice::token::team::Credential;

use crate::teams::ask;

#[expect(clippy::disallowed_types, reason = "this is the edge: what nobody passes in")]
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs().cast_signed()
}

/// A lattice that has one team and its greeter.
struct Governed {
    lattice: TestLattice,
    authority: String,
}

impl Governed {
    async fn start() -> Self {
        let lattice = TestLattice::start().await;
        let authority = lattice.folder().join("authority.key").display().to_string();
        Self { lattice, authority }
    }

    fn greeter(&self, to: &str) -> String {
        let image = artifacts::example("greeter").display().to_string();
        let export = format!("{{target: greeter, interfaces: example:greeter, to: [{to}]}}");
        self.lattice.manifest(
            "words",
            &format!("application: greeter\nteam: words\ncomponents: {{greeter: {image}}}\nexports: {{greet: {export}}}\n"),
        )
    }

    async fn create(&self, team: &str) -> Result<(), String> {
        let args = ["team", "create", team, "--authority", &self.authority];
        self.lattice.try_wicker(&args).await.map(|_| ())
    }

    async fn token(&self, team: &str) -> String {
        self.issue(team).await.0
    }

    /// A token, and its id.
    async fn issue(&self, team: &str) -> (String, String) {
        let args = ["token", "issue", "--team", team, "--authority", &self.authority];
        let issued = self.lattice.wicker(&args).await;
        let text = |field: &str| issued[field].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    }

    /// What the greeter says to a caller of that team.
    async fn asked_by(&self, team: &str) -> Status {
        let (source, target) = (format!("{team}/app/component"), "words/greeter/greeter");
        ask(&self.lattice, &source, target, "example:greeter/greet@1").await.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn team_is_acted_for_by_its_token_and_by_nothing_else() {
    let governed = Governed::start().await;
    let lattice = &governed.lattice;
    let _host = lattice.host(&[]).await;
    // One operator needs no token, until there are teams.
    lattice.wicker(&["deploy", &governed.greeter("front")]).await;
    governed.create("front").await.unwrap();
    let taken = governed.create("words").await.unwrap_err();
    assert!(taken.contains("there is a team `words` already"), "{taken}");
    assert_eq!(governed.asked_by("front").await, Status::NotFound, "what was there goes on");

    let manifest = governed.greeter("front, other");
    let refused = lattice.try_wicker(&["deploy", &manifest]).await.unwrap_err();
    assert!(refused.contains("a token of team `words` is needed"), "{refused}");
    let (words, front) = (governed.token("words").await, governed.token("front").await);
    let refused = lattice.try_wicker(&["--token", &front, "deploy", &manifest]).await.unwrap_err();
    assert!(refused.contains("is of team `front`"), "{refused}");
    for verb in [&["undeploy", "greeter"][..], &["pause", "greeter"], &["scale", "greeter", "2"]] {
        let refused = lattice.try_wicker(verb).await.unwrap_err();
        assert!(refused.contains("a token of team `words` is needed"), "{verb:?}: {refused}");
    }
    let file = lattice.folder().join("token");
    std::fs::write(&file, &words).unwrap();
    let file = file.display().to_string();
    lattice.wicker(&["--token", &file, "deploy", &manifest]).await;
    assert_eq!(governed.asked_by("other").await, Status::NotFound);
    let teams = lattice.wicker(&["teams"]).await;
    let names: Vec<&str> =
        teams.as_array().unwrap().iter().map(|team| team["team"].as_str().unwrap()).collect();
    assert_eq!(names, ["front", "words"]);
    lattice.wicker(&["--token", &words, "undeploy", "greeter"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_past_the_command_line_is_not_acted_on() {
    let governed = Governed::start().await;
    let lattice = &governed.lattice;
    let data = lattice.folder().join("data");
    let host = lattice.host_in(&data, &[]).await;
    governed.create("words").await.unwrap();
    let words = governed.token("words").await;
    lattice.wicker(&["--token", &words, "deploy", &governed.greeter("front")]).await;
    assert_eq!(governed.asked_by("front").await, Status::NotFound);

    let events = lattice.events().await;
    let greet = "words/greeter/greet".parse().unwrap();
    let export = lattice.store.get::<Export>(&key::export(&greet)).await.unwrap().unwrap().record;
    let mut forged = export.clone();
    forged.to.insert("mallory".to_owned(), Terms::default());
    lattice.store.put(&forged).await.unwrap();
    let greeter = "words/greeter/greeter".parse().unwrap();
    let component = lattice.store.get::<Component>(&key::component(&greeter)).await.unwrap();
    let component = component.unwrap().record;
    let config = [("greeting".to_owned(), "boo".to_owned())].into();
    let generation = component.generation + 1;
    lattice.store.put(&Component { config, generation, ..component }).await.unwrap();
    let authority = lattice.store.get::<Authority>(key::AUTHORITY).await.unwrap().unwrap().record;
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    lattice.store.put(&Authority { key }).await.unwrap();
    let told = eventually("the host says what it ignores", || async {
        let told = events.of("record-refused");
        (told.len() == 3).then_some(told)
    })
    .await;
    let said = |text: &str| assert!(told.iter().any(|each| each.contains(text)), "{told:?}");
    said("export.words_greeter_greet is ignored: nobody with a token of team `words` approved it");
    said("component.words_greeter_greeter is ignored");
    said("another authority");
    assert_eq!(governed.asked_by("mallory").await, Status::Denied);
    assert_eq!(governed.asked_by("front").await, Status::NotFound);

    // A host that comes back believes it no more, and knows its authority; its team sets things right.
    assert!(host.stop().await.success());
    let _host = lattice.host_in(&data, &[]).await;
    eventually("it says so again", || async {
        (events.of("record-refused").len() == 6).then_some(())
    })
    .await;
    lattice.store.put(&authority).await.unwrap();
    lattice.wicker(&["--token", &words, "deploy", &governed.greeter("front")]).await;
    assert_eq!(governed.asked_by("mallory").await, Status::Denied);
    assert_eq!(governed.asked_by("front").await, Status::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_token_is_worth_nothing_and_what_it_did_before_stays() {
    let governed = Governed::start().await;
    let lattice = &governed.lattice;
    let data = lattice.folder().join("data");
    let host = lattice.host_in(&data, &[]).await;
    governed.create("words").await.unwrap();
    let ((leaked, id), (kept, _)) = (governed.issue("words").await, governed.issue("words").await);
    lattice.wicker(&["--token", &leaked, "deploy", &governed.greeter("front")]).await;
    let revoke = ["token", "revoke", &id, "--authority", &governed.authority];
    let report = lattice.wicker(&revoke).await;
    let what: Vec<&str> =
        report["kept"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(what, ["component.words_greeter_greeter", "export.words_greeter_greet"]);
    let state = lattice.wicker(&["token", "ls"]).await;
    let revoked = state.as_array().unwrap().iter().filter(|row| row["is_revoked"] == true);
    assert_eq!(revoked.map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), [&id]);

    let manifest = governed.greeter("front, other");
    let refused = lattice.try_wicker(&["--token", &leaked, "deploy", &manifest]).await;
    assert!(refused.unwrap_err().contains("was revoked"));
    // Past the command line: an old word of its holder, for something that is not there yet, convinces no host.
    let events = lattice.events().await;
    let greet = "words/greeter/greet".parse().unwrap();
    let export = lattice.store.get::<Export>(&key::export(&greet)).await.unwrap().unwrap().record;
    let mut forged = export.clone();
    forged.to.insert("mallory".to_owned(), Terms::default());
    let holder: Credential = leaked.parse().unwrap();
    let word = holder.approve(&key::export(&greet), &digest(&forged), now()).unwrap();
    let approvals = Approvals { of: key::export(&greet), approvals: vec![word] };
    lattice.store.put(&approvals).await.unwrap();
    lattice.store.put(&forged).await.unwrap();
    eventually("the host says that it ignores it", || async {
        (!events.of("record-refused").is_empty()).then_some(())
    })
    .await;
    assert_eq!(governed.asked_by("mallory").await, Status::Denied);
    assert_eq!(governed.asked_by("front").await, Status::NotFound, "what was there goes on");
    lattice.wicker(&["--token", &kept, "deploy", &manifest]).await;
    assert_eq!(governed.asked_by("other").await, Status::NotFound);

    // A host that starts reads what stays.
    assert!(host.stop().await.success());
    let _host = lattice.host_in(&data, &[]).await;
    let greeter = "words/greeter/greeter".parse().unwrap();
    eventually("it is served again", || async {
        lattice.running(&greeter).await?;
        (governed.asked_by("other").await == Status::NotFound).then_some(())
    })
    .await;
}
