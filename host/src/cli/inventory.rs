//! Reads the lattice once, and asks who is alive.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::join_all;
use wicker_lattice::call::Status;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Application, Host, Running};
use wicker_lattice::store::{StoreError, key};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::names::{self, Resolved};

use crate::cli::session::Session;
use crate::inventory::records;

/// A live process answers a question within milliseconds; a frozen one never.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything that planning and showing need.
///
/// # Errors
/// The lattice's state cannot be reached.
pub async fn read(session: &Session) -> anyhow::Result<Inventory> {
    let mut inventory = records(&session.store).await?;
    let Inventory { hosts, silent_hosts, running, .. } = &mut inventory;
    let alive = alive(session, hosts, running).await;
    running.retain(|each| alive.contains(&each.process));
    let (living, silent) =
        std::mem::take(hosts).into_iter().partition(|host| alive.contains(&host.process));
    (*hosts, *silent_hosts) = (living, silent);
    Ok(inventory)
}

/// Notes the last generation of an application that was undeployed: hosts that were away meanwhile remember it, and refuse
/// older ones.
///
/// # Errors
/// The lattice's state cannot be reached.
pub async fn note_retired(
    session: &Session,
    inventory: &mut Inventory,
    (team, application): (&str, &str),
) -> Result<(), StoreError> {
    let key = key::application(team, application);
    if !inventory.applications.contains_key(&key) {
        let past = session.store.history::<Application>(&key).await?;
        let last = past.iter().map(|entry| entry.record.generation).max();
        inventory.retired.extend(last.map(|generation| (key, generation)));
    }
    Ok(())
}

/// Which of these processes answer. A verb has no time to watch leases end, so it asks; every process answers a
/// question, if only to say that it does not know it.
async fn alive(session: &Session, hosts: &[Host], running: &[Running]) -> BTreeSet<ProcessId> {
    let hosts = hosts.iter().map(|host| host.process);
    let processes: BTreeSet<ProcessId> =
        hosts.chain(running.iter().map(|each| each.process)).collect();
    let ask = |process| async move {
        let question = session.nats.query::<_, serde_json::Value>(
            (&session.lattice, process),
            "ping",
            &serde_json::Value::Null,
            ANSWER_TIMEOUT,
        );
        match question.await {
            Err(error) if matches!(error.status, Status::Unavailable | Status::Deadline) => None,
            Ok(_) | Err(_) => Some(process),
        }
    };
    join_all(processes.into_iter().map(ask)).await.into_iter().flatten().collect()
}

/// The object that a user means by `text`.
///
/// # Errors
/// None or several are called so.
pub fn object(inventory: &Inventory, text: &str) -> anyhow::Result<ObjectId> {
    match names::resolve(text, inventory.objects()) {
        Resolved::One(id) => Ok(id),
        Resolved::Several(ids) => {
            let ids: Vec<&str> = ids.iter().map(ObjectId::as_str).collect();
            bail!("`{text}` may mean {}: write more of the id", ids.join(" or "))
        }
        Resolved::Unknown(_) | Resolved::None => {
            let known: Vec<String> = inventory.objects().map(crate::cli::table::short).collect();
            let known = if known.is_empty() { "nothing yet".to_owned() } else { known.join(", ") };
            bail!("nothing in the lattice is called `{text}`; there is {known}")
        }
    }
}

/// The live host that a user means by `text`: its name, or any ending of its id.
///
/// # Errors
/// None or several are called so.
pub fn host<'a>(inventory: &'a Inventory, text: &str) -> anyhow::Result<&'a Host> {
    let found: Vec<&Host> = inventory.hosts.iter().filter(|host| may_mean(host, text)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let names: Vec<&str> = inventory.hosts.iter().map(|host| host.name.as_str()).collect();
            bail!("no live host is called `{text}`; there is {}", names.join(", "))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|host| host.process.to_string()).collect();
            bail!("`{text}` may mean host {}: write an id, or its last letters", ids.join(" or "))
        }
    }
}

/// Whether `text` means one live host or several.
#[must_use]
pub fn is_host(inventory: &Inventory, text: &str) -> bool {
    inventory.hosts.iter().any(|host| may_mean(host, text))
}

fn may_mean(host: &Host, text: &str) -> bool {
    host.name == text || host.process.to_string().ends_with(&text.to_ascii_uppercase())
}

/// Fails where nobody could run anything.
///
/// # Errors
/// No host is alive.
pub fn require_hosts(session: &Session, inventory: &Inventory) -> anyhow::Result<()> {
    let first = inventory.hosts.first();
    first.map(|_| ()).with_context(|| {
        format!("no host runs in lattice `{}`: start one with `wicker up`", session.lattice)
    })
}
