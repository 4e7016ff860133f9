//! What every backend promises.

use std::time::Duration;

use wicker_lattice::secret::{SecretError, SecretId, SecretSource};
use wicker_lattice::store::record::SealedSecret;

use crate::settings::{EnvFile, Lattice, Setting, id, secret};

/// How long a change may take to be seen, on a machine with much else to do.
const WAIT: Duration = Duration::from_secs(60);

/// Waits until the source says so of `id`.
async fn until(source: &dyn SecretSource, id: &SecretId, expected: Option<&str>) {
    let mut changes = source.changes();
    let seen = async {
        loop {
            changes.borrow_and_update();
            let found = source.find(id).ok();
            if found.as_ref().and_then(|secret| secret.reveal_text()) == expected {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(WAIT, seen).await.unwrap();
}

pub(crate) async fn what_is_set_is_found_as_it_was_set(setting: impl Setting) {
    let (source, own, other) = (setting.source(), id("key.pem"), id("shop/key.pem"));
    let text = "-----BEGIN-----\n\"hunter2\" \\ ü = # \t\r\n";
    setting.set(&own, text).await;
    setting.set(&other, "of another team").await;
    until(source.as_ref(), &own, Some(text)).await;
    until(source.as_ref(), &other, Some("of another team")).await;
    let at_rest = setting.at_rest().await.unwrap_or_default();
    assert!(!at_rest.contains("hunter2"), "sealed: {at_rest}");
    assert!(!format!("{source:?}").contains("hunter2"));
}

pub(crate) async fn a_change_is_told_and_seen_without_a_restart(setting: impl Setting) {
    let (source, id) = (setting.source(), id("password"));
    for value in ["one", "two", "three"] {
        setting.set(&id, value).await;
        until(source.as_ref(), &id, Some(value)).await;
    }
}

pub(crate) async fn what_is_removed_is_unknown(setting: impl Setting) {
    let (source, gone, kept) = (setting.source(), id("gone"), id("kept"));
    assert_eq!(source.find(&gone).unwrap_err(), SecretError::Unknown(gone.clone()));
    setting.set(&gone, "value").await;
    setting.set(&kept, "value").await;
    until(source.as_ref(), &gone, Some("value")).await;
    setting.remove(&gone).await;
    until(source.as_ref(), &gone, None).await;
    until(source.as_ref(), &kept, Some("value")).await;
    assert_eq!(source.find(&gone).unwrap_err(), SecretError::Unknown(gone));
}

pub(crate) async fn a_file_that_cannot_be_read_leaves_what_was_there() {
    let setting = EnvFile::start().await;
    let (source, kept, later) = (setting.source(), id("kept"), id("later"));
    setting.set(&kept, "value").await;
    until(source.as_ref(), &kept, Some("value")).await;
    std::fs::write(setting.file.path(), "kept=\"other\nnonsense").unwrap();
    assert!(setting.file.read().unwrap_err().to_string().contains("secrets.env"));
    std::fs::write(setting.file.path(), "kept=value\nlater=value").unwrap();
    until(source.as_ref(), &later, Some("value")).await;
    assert_eq!(source.find(&kept).unwrap(), secret("value"));
}

pub(crate) async fn who_has_not_the_key_reads_nothing_and_is_told_why() {
    let lattice = Lattice::start().await;
    let id = id("password");
    lattice.set(&id, "hunter2").await;
    let other = lattice.other_host().await;
    let error = other.find(&id).unwrap_err().to_string();
    assert!(error.contains("--secrets-key") && !error.contains("hunter2"), "{error}");
}

pub(crate) async fn a_record_under_another_name_opens_as_nothing() {
    let lattice = Lattice::start().await;
    let (own, stolen) = (id("shop/password"), id("thieves/password"));
    lattice.set(&own, "hunter2").await;
    let sealed = secrets_nats::list(&lattice.store).await.unwrap().remove(0).record;
    let copy = SealedSecret { id: stolen.clone(), ..sealed };
    lattice.store.put(&copy).await.unwrap();
    until(lattice.source.as_ref(), &own, Some("hunter2")).await;
    let seen = async {
        let mut changes = lattice.source.changes();
        loop {
            match lattice.source.find(&stolen) {
                Err(SecretError::Unknown(_)) => changes.changed().await.unwrap(),
                outcome => return outcome,
            }
        }
    };
    let outcome = tokio::time::timeout(WAIT, seen).await.unwrap();
    assert!(matches!(outcome, Err(SecretError::Unreadable { .. })), "{outcome:?}");
}
