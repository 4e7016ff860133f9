//! What a manifest may say, and what each mistake in it is told.

use wicker_lattice::store::record::FileGrant;

use super::*;

fn read(text: &str) -> Manifest {
    parse(&Source::new("app.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wrong with `text`: `line:column message | help`, one a line.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(&Source::new("app.yaml", text)).expect_err("the manifest has problems");
    problems
        .iter()
        .map(|each| {
            let help = each.help.as_deref().unwrap_or_default();
            format!("{}:{} {} | {help}", each.line, each.column, each.message)
        })
        .collect()
}

#[test]
fn short_forms_say_all_that_a_small_application_needs() {
    let manifest = read(
        "application: counter\n\
         version: 1.10\n\
         components:\n  counter: counter.wasm\n\
         providers:\n  store: keyvalue-redis\n\
         links:\n  counter:\n    wasi:keyvalue: store\n\
         routes:\n  /: counter\n",
    );
    assert_eq!(manifest.version.as_deref(), Some("1.10"), "a version is text, not a number");
    assert_eq!(manifest.team, "default");
    assert_eq!(manifest.claimant(), "default/counter");
    assert_eq!(manifest.components[0].image.value, "counter.wasm");
    assert_eq!(manifest.components[0].placement.spread, Spread::default());
    assert_eq!(
        manifest.providers[0].source.value,
        ProviderSource::Builtin("keyvalue-redis".to_owned())
    );
    assert_eq!(manifest.links[0].interface.value.to_string(), "wasi:keyvalue");
    assert_eq!(
        manifest.links[0].targets[0].name,
        Spanned::new("store".to_owned(), Span { line: 9, column: 20, width: 5, layer: 0 })
    );
    assert_eq!((manifest.routes[0].host.clone(), manifest.routes[0].path.as_str()), (None, "/"));
}

#[test]
fn long_forms_say_the_rest() {
    let manifest = read(include_str!("../../tests/full.yaml"));
    let api = &manifest.components[0];
    assert_eq!(api.limits.memory_bytes, Some(64 << 20));
    assert_eq!(api.limits.deadline_ms, Some(5_000));
    assert_eq!((api.limits.concurrency, api.limits.queue), (Some(16), Some(100)));
    assert_eq!(api.grants.environment["NO"], "no", "a plain scalar is text");
    assert_eq!(api.grants.arguments, ["--verbose"]);
    let file = FileGrant { host: "/srv/data".to_owned(), guest: "/data".to_owned(), write: true };
    assert_eq!(api.grants.files, [file]);
    assert_eq!(api.grants.network.len(), 2);
    assert_eq!(api.placement.spread.replicas, Some(3));
    assert_eq!(api.placement.spread.labels["zone"], "a");
    assert_eq!(manifest.components[1].placement.spread.replicas, None, "every host");
    assert_eq!(api.placement.spread.preferred["disk"], "ssd");
    assert_eq!(api.placement.spread.over.as_deref(), Some("rack"));
    let neighbours = |neighbours: &[Neighbour]| -> Vec<(String, bool)> {
        let each = |each: &Neighbour| (each.to.value.clone(), each.is_required);
        neighbours.iter().map(each).collect()
    };
    assert_eq!(
        neighbours(&api.placement.near),
        [("database".to_owned(), true), ("cache".to_owned(), false)]
    );
    assert_eq!(neighbours(&api.placement.apart), [("acme/batch/worker".to_owned(), true)]);
    assert_eq!(api.rollout, Rollout { at_once: 2, rolls_back: false });
    assert_eq!(manifest.components[1].rollout, Rollout::default());
    assert_eq!(manifest.providers[1].config["port"], 5432);
    assert_eq!(manifest.providers[1].config["name"], "5432");
    assert_eq!(manifest.providers[1].sharing, Some(Sharing::Exclusive));
    let link = manifest.links.iter().find(|link| link.name == "cache").unwrap();
    assert_eq!(link.timeout_ms, Some(500));
    assert_eq!(link.config["allow"], "a.example,b.example:80", "lists are joined by commas");
    assert_eq!(link.idempotent, ["store.get"]);
    assert_eq!(manifest.routes[1].host.as_deref(), Some("*.example.com"));
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    assert_eq!(
        problems(
            "application: Shop\n\
             componets:\n  a: b\n\
             components:\n  api:\n    imagine: x\n    limits:\n      memory: 64\n      deadline: soon\n\
             providers:\n  store: {}\n  api: keyvalue-redb\n\
             links:\n  api:\n    keyvalue: store\n  wen:\n    wasi:sql: store\n    wasi:keyvalue: store\n\
             routes:\n  http://x/: api\n  /: apj\n  /y: stor\n"
        ),
        [
            "1:14 `Shop` cannot name an application | names are 1 to 63 of a-z, 0-9 and inner hyphens",
            "2:1 unknown field `componets` in the manifest | did you mean `components`?",
            "5:3 component api has no image | add `image: api.wasm`",
            "6:5 unknown field `imagine` in component api | did you mean `image`?",
            "8:15 memory is `64`, expected a size | write a whole number and its unit: 64MiB, 1GiB",
            "9:17 deadline is `soon`, expected a duration | write a whole number and its unit: 500ms, 5s, 2m",
            "11:3 provider store does not say what to run | write one of builtin, process, command, external",
            "15:5 `keyvalue` is not an interface or package | write it as wasi:keyvalue or wasi:keyvalue/store@0.2.0",
            "16:3 `wen` has links but is no component or provider here | known: api, store, api",
            "20:3 `http://x/` is not a route | leave the scheme away: HOST/PATH, /PATH or HOST",
            "21:6 the route / leads to `apj`, which is no component or provider here | did you mean `api`?",
            "22:7 the route /y leads to `stor`, which is no component or provider here | did you mean `store`?",
        ]
    );
}

#[test]
fn placement_and_rollout_say_what_would_fix_them() {
    assert_eq!(
        problems(
            "application: a\ncomponents:\n  x:\n    image: a.wasm\n    placement:\n      label: {zone: a}\n      \
             spread: {zone: a}\n      near: store\n      apart: [{required: true}, {to: y, must: true}]\n    \
             rollout:\n      at-once: 0\n      rollback: never\n      max: 1\n"
        ),
        [
            "6:7 unknown field `label` in placement | did you mean `labels`?",
            "7:15 spread is a map, expected a label's name | name one label: `spread: zone`; hosts that must carry a value belong under `labels`",
            "8:13 near is text, expected a list | write `near: [NAME]`",
            "9:15 an entry of apart names nobody | add `to: NAME`",
            "9:41 unknown field `must` in an entry of apart | known: to, required",
            "11:16 at-once is zero | write 1 or more",
            "12:17 rollback is `never`, expected true or false | ",
            "13:7 unknown field `max` in rollout | known: at-once, rollback",
        ]
    );
}

#[test]
fn names_and_keys_that_are_there_twice_are_refused() {
    assert_eq!(
        problems(
            "application: a\ncomponents:\n  x: a.wasm\n  x: b.wasm\nproviders:\n  x: keyvalue-redb\nroutes:\n  /a: x\n  /a/: x\n"
        ),
        [
            "4:3 `x` is here twice | the first is on line 3",
            "6:3 `x` is a component already | see line 4; rename one",
            "9:3 the route /a/ is here twice | the first is on line 8",
        ]
    );
}

#[test]
fn what_is_no_manifest_is_refused() {
    for (text, expected) in [
        ("", "1:1 an empty manifest | start with `application: NAME`"),
        ("# nothing\n", "1:1 an empty manifest | start with `application: NAME`"),
        ("- a\n", "1:1 the manifest is a list, expected a map | "),
        (
            "version: 1\n",
            "1:1 the application has no name | add `application: NAME` as the first line",
        ),
        (
            "application: a\n---\napplication: b\n",
            "2:1 a second document in one file | put each application in a file of its own",
        ),
        ("application: !x a\n", "1:17 tags have no meaning here | remove the tag"),
        ("application: [a\n", ""),
        ("application: a\n\tteam: b\n", ""),
        ("? [a]\n: b\n", "1:3 a key that is not text | "),
    ] {
        let found = problems(text);
        assert!(!found.is_empty(), "{text:?}");
        if !expected.is_empty() {
            assert_eq!(found, [expected], "{text:?}");
        }
    }
}

#[test]
fn aliases_are_followed_and_cannot_explode() {
    let manifest = read("application: a\ncomponents:\n  x: &image a.wasm\n  y: *image\n");
    assert_eq!(manifest.components[1].image.value, "a.wasm");
    let mut bomb = "application: a\nl0: &l0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..8 {
        let list = vec![format!("*l{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("l{level}: &l{level} [{list}]\n"));
    }
    assert!(problems(&bomb)[0].contains("more than 100000 values"), "{:?}", problems(&bomb));
}

#[test]
fn problem_shows_its_line_with_a_caret() {
    let problems = parse(&Source::new("app.yaml", "application: a\nrouts:\n  /: x\n")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "app.yaml:2:1: unknown field `routs` in the manifest\n  2 | routs:\n    | ^^^^^ did you mean `routes`?"
    );
}

#[test]
fn manifest_larger_than_the_lattice_keeps_is_refused() {
    let text = format!("application: a\n# {}\n", "x".repeat(MANIFEST_BYTES_MAX));
    assert_eq!(problems(&text), ["1:1 larger than 256 KiB | split the application"]);
}

#[test]
fn readiness_and_shares_are_read() {
    let text = "application: a\n\
        components:\n  a: {image: a.wasm, ready: /healthz}\n  \
        b: {image: b.wasm, ready: {function: shop:cart/health@1.0.0.check, interval: 5s, failures: 1}}\n\
        links:\n  a:\n    shop:cart: {target: [{target: b, weight: 90}, {target: c/d, weight: 10}]}\n\
        routes:\n  /: [{target: a, weight: 1}, {target: b, weight: 0}]\n";
    let manifest = parse(&Source::new("a.yaml", text)).unwrap();
    let ready = |index: usize| manifest.components[index].ready.clone().unwrap();
    assert_eq!(ready(0).probe.value, Probe::Path("/healthz".to_owned()));
    assert_eq!((ready(0).interval_ms, ready(0).timeout_ms, ready(0).failures), (1000, 1000, 3));
    let Probe::Function { interface, name } = ready(1).probe.value else { panic!() };
    assert_eq!((interface.to_string().as_str(), name.as_str()), ("shop:cart/health@1", "check"));
    assert_eq!((ready(1).interval_ms, ready(1).failures), (5000, 1));
    let shares = |targets: &[Target]| {
        let each = targets.iter().map(|target| (target.name.value.clone(), target.weight));
        each.collect::<Vec<_>>()
    };
    let named = |name: &str, weight| (name.to_owned(), weight);
    assert_eq!(shares(&manifest.links[0].targets), [named("b", 90), named("c/d", 10)]);
    assert_eq!(shares(&manifest.routes[0].targets), [named("a", 1), named("b", 0)]);
}

#[test]
fn readiness_and_shares_that_say_nothing_are_refused() {
    assert_eq!(
        problems(
            "application: a\n\
             components:\n  a: {image: a.wasm, ready: healthz}\n  b: {image: b.wasm, ready: {}}\n  \
             c: {image: c.wasm, ready: {path: /, function: a:b/c.d}}\n  d: {image: d.wasm, ready: {function: check}}\n\
             routes:\n  /: [{target: a, weight: 0}]\n  /x: [{target: a}]\n  /y: []\n  \
             /z: [{target: a, weight: 1}, {target: a, weight: 2}]\n"
        ),
        [
            "3:29 ready is `healthz`, expected a path | write it as a client would ask for it: /healthz",
            "4:29 ready does not say what to ask | add `path: /healthz`, or `function: INTERFACE.FUNCTION`",
            "5:29 ready asks for a path and for a function | keep one of the two",
            "6:40 function is `check`, expected INTERFACE.FUNCTION | write it as shop:cart/health.check",
            "8:6 the route / leads nowhere | write `- {target: NAME, weight: 90}` for each that shares the calls",
            "9:8 a target of the route /x has no weight | write it as `{target: NAME, weight: 90}`",
            "10:7 the route /y leads nowhere | write `- {target: NAME, weight: 90}` for each that shares the calls",
            "11:41 the route /z leads to `a` twice | add the weights together",
        ]
    );
}

#[test]
fn schedules_say_when_whom_and_how_often() {
    let manifest = read(include_str!("../../tests/full.yaml"));
    let [nightly, often, once] = &manifest.schedules[..] else { panic!("three") };
    let (expression, zone) = ("30 3 * * MON-FRI".to_owned(), "Europe/Berlin".to_owned());
    assert_eq!(nightly.timing, Timing::Cron { expression, zone });
    assert_eq!((nightly.missed, nightly.overlap), (Missed::All, Overlap::Wait));
    assert_eq!((nightly.attempts, nightly.backoff_ms, nightly.timeout_ms), (3, 2000, 300_000));
    assert_eq!(often.timing, Timing::Every(30_000));
    assert_eq!((often.missed, often.overlap, often.attempts), (Missed::Once, Overlap::Skip, 5));
    assert_eq!(once.timing, Timing::Once("2027-01-01T00:00:00+01:00".to_owned()));
}

#[test]
fn schedules_that_make_no_sense_are_told_where_and_why() {
    let found = problems(
        "application: a\n\
         components:\n  job: job.wasm\n\
         schedules:\n  \
         one: { target: job, cron: \"99 3 * * *\" }\n  \
         two: { target: job, cron: \"0 3 * * *\", zone: Europe/Berln }\n  \
         three: { target: job, cron: \"0 0 30 2 *\" }\n  \
         four: { target: job }\n  \
         five: { target: job, every: 5ms, zone: UTC }\n  \
         six: { target: job, at: noon }\n  \
         seven: { target: jib, every: 1m, missed: never }\n  \
         eight: { every: 1m, cron: \"* * * * *\" }\n",
    );
    let starts = [
        "5:29 `99 3 * * *` is no cron expression: ",
        "6:48 `Europe/Berln` is no time zone | write a name of the IANA database: Europe/Berlin",
        "7:31 `0 0 30 2 *` is never due | no month has that day",
        "8:3 schedule four does not say when | ",
        "9:31 every is 5 ms | a second or more",
        "9:42 schedule five has a zone that does nothing | ",
        "10:27 `noon` is no time | write it with its offset",
        "11:20 the schedule seven calls `jib`, which is no component here | did you mean `job`?",
        "11:44 missed is `never`, expected skip, once, all | ",
        "12:3 schedule eight does not say what is called | add `target: COMPONENT`",
        "12:3 schedule eight says cron and every | keep one of them",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}\n{start}");
    }
}
