//! Commands and their exit codes.

use std::fs;

use tokio::time::timeout;
use wicker_lattice::call::Status;
use wicker_lattice::link::Links;
use wicker_lattice::store::record::FileGrant;

use crate::support::{PATIENCE, Stage, stage, stage_with};

async fn exit(stage: &Stage, arguments: &[&str]) -> u8 {
    let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
    timeout(PATIENCE, stage.actor.run(arguments)).await.expect("an end in time").unwrap()
}

#[tokio::test]
async fn a_command_runs_to_its_exit_code() {
    let stage = stage("command").await;
    assert!(stage.actor.program().is_command());
    assert_eq!(exit(&stage, &["arguments", "a", "b"]).await, 0);
    // WASI 0.2 as Rust's standard library uses it says only whether a command failed.
    assert_eq!(exit(&stage, &["fail"]).await, 1);
}

#[tokio::test]
async fn commands_of_wasi_0_3_run_too() {
    let stage = stage("command-async").await;
    assert_eq!(exit(&stage, &[]).await, 0);
    assert_eq!(exit(&stage, &["fail"]).await, 1);
    assert_eq!(exit(&stage, &["exit"]).await, 7);
}

#[tokio::test]
async fn a_command_that_traps_is_an_error() {
    let error = stage("command").await.actor.run(vec!["trap".into()]).await.unwrap_err();
    assert_eq!(error.status, Status::Trapped);
}

#[tokio::test]
async fn a_command_has_the_files_that_were_granted() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("greeting"), "read by a command\n").unwrap();
    let host = directory.path().to_str().unwrap().to_owned();
    let stage = stage_with("command", Links::default(), |config| {
        config.grants.files = vec![FileGrant { host, guest: "/data".into(), write: false }];
    })
    .await;
    assert_eq!(exit(&stage, &["cat", "/data/greeting"]).await, 0);
    let without = stage_with("command", Links::default(), |_| {}).await;
    assert!(without.actor.run(vec!["cat".into(), "/data/greeting".into()]).await.is_err());
}

#[tokio::test]
async fn dropping_the_run_ends_a_command_that_spins() {
    let stage = stage("command").await;
    let mut run = Box::pin(stage.actor.run(vec!["spin".into()]));
    for _ in 0..3 {
        assert!(futures::poll!(run.as_mut()).is_pending());
    }
    drop(run);
}

#[tokio::test]
async fn what_is_no_command_is_not_run() {
    let error = stage("http-hello").await.actor.run(Vec::new()).await.unwrap_err();
    assert_eq!(error.status, Status::NotFound);
}
