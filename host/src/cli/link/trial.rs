//! Whether a link that was just set works: asked of every process that runs its target.

use std::time::Duration;

use futures::future::join_all;
use wicker_lattice::call::Status;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Link, ObjectKind};
use wicker_provider::link::query::{LINK, LinkQuery};
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;

/// How long a provider may take to open it.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The link's state, and why its calls would fail. Components take every link; of a process that does not answer nothing
/// is known, and its lease tells more.
pub(super) async fn of(
    session: &Session,
    inventory: &Inventory,
    link: &Link,
) -> (&'static str, Option<String>) {
    let targets = inventory.serve(link);
    let serving = inventory.running.iter().filter(|running| {
        targets.contains(&&running.object)
            && running.kind == ObjectKind::Provider
            && running.state.takes_calls()
    });
    let asked = serving.map(|running| async {
        let address = (session.lattice.as_str(), running.process);
        let query = LinkQuery { target: running.object.clone(), key: link.key() };
        session.nats.query::<_, ()>(address, LINK, &query, TRIAL_TIMEOUT).await
    });
    let answers = join_all(asked).await;
    let failures = answers.into_iter().filter_map(Result::err);
    let mut told = failures.filter_map(|error| match error.status {
        Status::Denied => Some(("refused", error.message)),
        Status::Unavailable => Some(("failing", error.message)),
        Status::Deadline => {
            Some(("failing", format!("it is not open after {}s", TRIAL_TIMEOUT.as_secs())))
        }
        _ => None,
    });
    told.next().map_or(("ready", None), |(state, reason)| (state, Some(reason)))
}
