//! What the verbs about applications print.

use wicker_lattice::store::record::{
    Application, LastTick, Missed, Overlap, Progress, ProgressState, Restored, Scaling, Schedule,
    Tick, Ticks, Timing,
};
use wicker_reconciler::plan::{AnyRecord, Plan, Step};

use super::*;
use crate::cli::{diff, explain, history, status};

fn application(team: &str, name: &str, objects: &[&str]) -> Application {
    let object = |object: &&str| (id(&format!("{team}/{name}/{object}")), 3);
    Application {
        team: team.to_owned(),
        name: name.to_owned(),
        version: Some("2026.11".to_owned()),
        generation: 3,
        manifest: String::new(),
        keys: Vec::new(),
        objects: objects.iter().map(object).collect(),
        at: Some("2026-11-20T16:59:00.000Z".to_owned()),
        restores: None,
        is_paused: false,
    }
}

fn progress(team: &str, name: &str, state: ProgressState, reason: Option<&str>) -> Progress {
    Progress {
        team: team.to_owned(),
        name: name.to_owned(),
        generation: 3,
        state,
        reason: reason.map(str::to_owned),
        ready: Some(2),
        goes_back_to: None,
        since: "2026-11-20T17:00:01.000Z".to_owned(),
    }
}

/// As [`lattice`], with two applications; of the counter, a new version cannot be started.
fn applications() -> Inventory {
    let mut inventory = lattice();
    put(&mut inventory.applications, application("default", "counter", &["counter"]));
    let shop = application("acme", "shop", &["gateway", "later", "mail"]);
    put(&mut inventory.applications, Application { is_paused: true, ..shop });
    let counter = inventory.running.first_mut().unwrap();
    counter.generation = 2;
    counter.failed_generation = Some(3);
    counter.reason = Some("it does not compile".to_owned());
    let mut later = component("acme/shop/later");
    later.spread.replicas = Some(2);
    later.spread.labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    put(&mut inventory.components, later);
    let mut gateway = component("acme/shop/gateway");
    gateway.spread.scaling = Some(Scaling { max: 4, concurrency: 10, after_ms: 60_000 });
    inventory.hosts.iter_mut().for_each(|host| _ = host.busy.insert(gateway.id.clone(), 12));
    put(&mut inventory.components, gateway);
    put(&mut inventory.schedules, hourly());
    inventory
}

fn hourly() -> Schedule {
    Schedule {
        id: id("acme/shop/hourly"),
        target: id("acme/shop/gateway"),
        timing: Timing::Cron {
            expression: "0 * * * *".to_owned(),
            zone: "Europe/Berlin".to_owned(),
        },
        since_ms: 1_795_000_000_000,
        missed: Missed::All,
        overlap: Overlap::Wait,
        attempts: 3,
        backoff_ms: 1000,
        timeout_ms: 10_000,
    }
}

/// One under way again, after one that was given up.
fn ticks() -> Ticks {
    let (at_ms, hour) = (1_795_010_400_000, 3_600_000);
    let error = Some("trapped: out of memory".to_owned());
    Ticks {
        schedule: id("acme/shop/hourly"),
        since_ms: 1_795_000_000_000,
        until_ms: at_ms,
        next_ms: Some(at_ms + hour),
        pending: vec![Tick { at_ms, deliveries: 2, failures: 1, due_ms: at_ms, ..Tick::default() }],
        last: Some(LastTick { at_ms: at_ms - hour, ended_ms: at_ms - 9000, deliveries: 3, error }),
        done: 1,
        failed: 1,
        skipped: 0,
    }
}

#[test]
fn golden_status() {
    let progress = [
        progress(
            "default",
            "counter",
            ProgressState::Failed,
            Some("default/counter/counter on alpha: it does not compile"),
        ),
        progress(
            "acme",
            "shop",
            ProgressState::Rolling,
            Some("it is paused; acme/shop/mail: 0 of 0"),
        ),
    ];
    let status = status::Status::new(&applications(), &progress, &[ticks()]);
    check("status.txt", &status.to_string());
    check_json("status.json", &status);
}

#[test]
fn golden_explain() {
    let inventory = applications();
    let shop = application("acme", "shop", &["gateway", "later", "mail"]);
    let report = explain::Report::new(&inventory, &shop);
    check("explain.txt", &report.to_string());
    check_json("explain.json", &report);
}

#[test]
fn golden_history() {
    let restores = Some(Restored { generation: 2, reason: "asked for".to_owned() });
    let now = Application { restores, ..application("acme", "shop", &[]) };
    let before = Application { generation: 2, version: None, ..application("acme", "shop", &[]) };
    let history = history::History::new(&now, [before, now.clone()].into_iter());
    check("history.txt", &history.to_string());
    check_json("history.json", &history);
}

#[test]
fn golden_diff() {
    let before = component("acme/shop/gateway");
    let mut after = before.clone();
    after.generation = 4;
    after.limits.memory_bytes = Some(64 << 20);
    after.spread.replicas = None;
    let update =
        |record: AnyRecord, before: AnyRecord| Step::Update { record, revision: 1, before };
    let link = Link {
        config: BTreeMap::from([("url".to_owned(), "redis://me:x@db".to_owned())]),
        ..link("acme/shop/gateway", "acme/shop/mail")
    };
    let route = Route {
        host: None,
        path: "/old".to_owned(),
        target: id("acme/shop/gateway"),
        claimed_by: "acme/shop".to_owned(),
        only_on: None,
        split: Vec::new(),
    };
    let now = application("acme", "shop", &[]);
    let steps = vec![
        update(Application { generation: 4, ..now.clone() }.into(), now.into()),
        update(after.into(), before.into()),
        Step::Create(link.into()),
        Step::Delete { key: route.key(), before: route.into() },
    ];
    let notes = vec!["acme/shop/gateway runs nowhere: no host matches".to_owned()];
    let plan = Plan { steps, notes, ..Plan::default() };
    let report = diff::Report {
        applications: vec![diff::Application::new("acme/shop".to_owned(), plan)],
        warnings: Vec::new(),
    };
    check("diff.txt", &report.applications[0].to_string());
    check_json("diff.json", &report);
}
