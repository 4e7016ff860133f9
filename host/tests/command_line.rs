//! The program itself: what it says before it does anything.

#![allow(clippy::unwrap_used, reason = "a test, and what only tests call, fails by panicking")]

use std::process::Command;

fn wicker(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wicker")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_names_every_verb() {
    let (succeeded, help, _) = wicker(&["--help"]);
    assert!(succeeded);
    let verbs = [
        "up", "deploy", "diff", "undeploy", "status", "explain", "wait", "history", "rollback",
        "scale", "pause", "resume", "drain", "build", "push", "ps", "inspect", "link", "team",
        "token", "teams", "exports", "logs", "events", "run", "call", "provider", "schema",
    ];
    for verb in verbs {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(verb)),
            "{verb} is missing:\n{help}"
        );
    }
}

#[test]
fn flags_have_their_environment_variables_in_the_help() {
    let (_, help, _) = wicker(&["up", "--help"]);
    for variable in
        ["WICKER_NATS", "WICKER_LATTICE", "WICKER_DATA", "WICKER_HTTP", "WICKER_NATS_LISTEN"]
    {
        assert!(help.contains(variable), "{variable} is missing:\n{help}");
    }
}

#[test]
fn schema_is_printed_without_a_lattice() {
    let (succeeded, schema, _) = wicker(&["schema"]);
    assert!(succeeded);
    assert_eq!(schema, include_str!("../../docs/manifest.schema.json"));
}

#[test]
fn unknown_verb_is_refused_with_the_nearest_one() {
    let (succeeded, _, error) = wicker(&["deplyo"]);
    assert!(!succeeded);
    assert!(error.contains("deploy"), "{error}");
}

#[test]
fn slim_component_is_smaller_has_the_same_types_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let slim = folder.path().join("slim.wasm");
    let (given, made) = (artifacts::guest("command"), slim.display().to_string());
    let arguments = ["--output", "json", "build", &given.display().to_string(), "--slim", "--to"];
    let (succeeded, printed, error) = wicker(&[&arguments[..], &[&made]].concat());
    assert!(succeeded, "{error}");
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let bytes = |name: &str| report[name].as_u64().unwrap();
    assert!(bytes("bytes") < bytes("bytes_before"), "{report}");
    let types =
        |file: &std::path::Path| wicker_engine::world_of(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(types(&slim), types(&given));
    let (succeeded, printed, error) = wicker(&["run", &made, "--", "fib", "10"]);
    assert!(succeeded, "{error}");
    assert_eq!(printed.trim(), "55");
}
