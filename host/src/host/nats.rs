//! The NATS server that a host uses: one that is there, or its own; and the lattice's state on it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};
use wicker_lattice::id::Incarnation;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::store::{OpenError, Store, StoreError};
use wicker_process::{Clock, Tasks};

use crate::config::HostConfig;
use crate::data_dir::DataDir;
use crate::member::Member;
use crate::nats_server::{self, JoinLine, Keeper, Machine, NatsServer, Place, Role, Running};

/// How long the first machine may take to let this one in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a state that other machines keep is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How often it is said that it is waited for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The NATS server to use.
pub(super) struct Found {
    pub(super) url: String,
    /// The one that this host runs, where it runs one.
    pub(super) own: Option<(NatsServer, Machine)>,
}

/// Takes over the server that a killed host left, finds one that runs, or starts one.
pub(super) async fn find(config: &HostConfig, data: &DataDir) -> anyhow::Result<Found> {
    let name = data.process().to_string();
    let left = nats_server::is_left(data);
    let before = Place::read(data)?;
    let has_place = before.as_ref().is_some_and(|place| place.role != Role::Alone);
    if let Some(url) = &config.nats {
        let adopted = Machine { name, listen: config.nats_listen, place: before };
        return Ok(match adopted.adopt(data).await {
            Some(server) if server.url() == url => {
                Found { url: url.clone(), own: Some((server, adopted)) }
            }
            other => {
                if let Some(left) = other {
                    left.stop().await;
                }
                Found { url: url.clone(), own: None }
            }
        });
    }
    let is_on_its_own =
        config.nats_listen.is_some() || config.join.is_some() || config.address.is_some();
    if left == Running::No
        && !is_on_its_own
        && !has_place
        && let Some(url) = nats_server::find(config.data.as_deref()).await
    {
        return Ok(Found { url, own: None });
    }
    let before = before.map(|place| (place, left));
    let place = match config.is_open || has_place {
        true => Some(Place::of(before, config.join.as_ref(), config.address.as_deref())?),
        false => None,
    };
    let machine = Machine { name, listen: config.nats_listen, place };
    let server = match machine.adopt(data).await {
        Some(left) => left,
        None => machine.start(data).await?,
    };
    Ok(Found { url: server.url().to_owned(), own: Some((server, machine)) })
}

/// Connects, and opens the lattice's state.
pub(super) async fn join(
    config: &HostConfig,
    data: &DataDir,
    url: &str,
    own: Option<&(NatsServer, Machine)>,
) -> anyhow::Result<Member> {
    let nats = Nats::connect(NatsConfig::at(url)).await?;
    let machine = own.map(|(_, machine)| machine);
    let place = machine.and_then(|machine| machine.place.as_ref());
    let store = match (machine, place) {
        (Some(machine), Some(place)) if place.role != Role::Alone => {
            open(config, data, &nats, (machine, place)).await?
        }
        _ => {
            let copies = nats_server::copies(url).await;
            Store::open(&nats.jetstream(), &config.lattice, copies).await?
        }
    };
    if let Some(place) = place {
        // Only now: whoever could not join may try again with another line.
        place.write(data)?;
    }
    Ok(Member {
        lattice: config.lattice.clone(),
        process: data.process(),
        incarnation: Incarnation::generate(),
        nats,
        store,
        clock: Clock::system(),
        tasks: Tasks::default(),
    })
}

/// Tries a step of the start again while the lattice's state does not answer: it may be about to elect who leads it.
///
/// # Errors
/// The step failed for another reason, or longer than an election takes.
pub(super) async fn patiently<T>(
    mut step: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let until = Instant::now() + JOIN_TIMEOUT;
    loop {
        match step().await {
            Err(StoreError::Unavailable { .. }) if Instant::now() < until => {
                sleep(LOOK_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

/// Keeps this machine's own server running from now on; and what other machines are started with.
pub(super) fn keep(
    own: Option<(NatsServer, Machine)>,
    member: &Member,
    data: &Arc<DataDir>,
) -> (Option<Keeper>, Option<JoinLine>) {
    let Some((server, machine)) = own else { return (None, None) };
    let join_line = machine.place.as_ref().map(Place::join_line);
    let keeper = Keeper::start(member.clone(), Arc::clone(data), machine, server);
    (Some(keeper), join_line)
}

/// Opens a state that other machines keep, too: a machine that joins waits for a while, one that has joined for as long
/// as it takes.
async fn open(
    config: &HostConfig,
    data: &DataDir,
    nats: &Nats,
    (machine, place): (&Machine, &Place),
) -> anyhow::Result<Store> {
    let is_new = Place::read(data)?.is_none();
    let addresses = place.join_line().addresses.join(", ");
    let copies = if matches!(place.role, Role::Leaf { .. }) { 1 } else { nats_server::SERVERS };
    let begun = Instant::now();
    let mut said = begun;
    loop {
        let error = match Store::open(&nats.jetstream(), &config.lattice, copies).await {
            Ok(store) => return Ok(store),
            Err(error @ OpenError::Version { .. }) => return Err(error.into()),
            Err(error) => error,
        };
        anyhow::ensure!(
            !is_new || !machine.is_refused(data),
            "cannot join at {addresses}: this line is of another secret; take it from a machine of that lattice"
        );
        if is_new && begun.elapsed() > JOIN_TIMEOUT {
            return Err(error).with_context(|| {
                format!(
                    "cannot join at {addresses}: is the line right, and do these machines let TCP through? \
                     See {}",
                    data.path().join("nats/nats-server.log").display()
                )
            });
        }
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            tracing::warn!("waiting for the machines that keep the lattice's state: {addresses}");
        }
        sleep(LOOK_EVERY).await;
    }
}
