//! One delivery of a tick: a call of the component's `wicker:schedule/handler`.

use std::sync::Arc;
use std::time::Duration;

use wicker_lattice::call::{Class, DEFAULT_LINK, Invoke, LinkRef};
use wicker_lattice::link::Binding;
use wicker_lattice::store::record::Schedule;
use wicker_provider::Client;
use wicker_reconciler::schedule::{Clockwork, Delivery, Outcome};

use crate::link::Router;

wicker_provider::bindgen!({
    path: "../wit/wicker-schedule",
    interfaces: ["wicker:schedule/handler@0.1.0"],
});

use handler::Tick;

/// What every delivery of one tick is told by, and no other tick.
fn tick_id(schedule: &Schedule, at: &str) -> String {
    format!("{}@{at}", schedule.id)
}

/// Delivers a tick, and waits for what its handler says, as long as the schedule allows.
pub(super) async fn deliver(
    router: Arc<Router>,
    schedule: Schedule,
    clockwork: Clockwork,
    delivery: Delivery,
) -> Outcome {
    let Delivery { at_ms, attempt } = delivery;
    let tick = Tick {
        id: tick_id(&schedule, &wicker_reconciler::schedule::rfc3339(at_ms)),
        schedule: schedule.id.name().to_owned(),
        at_ms: u64::try_from(at_ms).unwrap_or_default(),
        at: clockwork.print(at_ms),
        attempt,
    };
    let link = LinkRef { name: DEFAULT_LINK.into(), revision: 0 };
    let binding = Binding { target: schedule.target, link, invoke: router as Arc<dyn Invoke> };
    let timeout = Duration::from_millis(schedule.timeout_ms);
    let client = Client::new(schedule.id, binding).with_timeout(timeout);
    match handler::Client::new(client).handle(tick).await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(refusal)) => Outcome::Failed(refusal),
        // What may pass was refused by all who could have run it; what may not is the component's fault.
        Err(error) if error.class() == Class::NotExecuted && error.status.may_pass() => {
            Outcome::NotCalled(error.to_string())
        }
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
