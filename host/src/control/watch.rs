//! What the lattice's state says, forwarded to [`Control`](super::Control) as it changes: one watch a kind of record.
//!
//! A watch never ends and never takes an outage for a deletion, so neither does this.

use std::convert::Infallible;

use tokio::sync::mpsc;
use wicker_lattice::store::key::{self, placements_on};
use wicker_lattice::store::record::{
    Approvals, Authority, Component, Export, Link, Placement, Provider, Route, Running, Schedule,
    Token,
};
use wicker_lattice::store::{Change, Record};

use super::Input;
use crate::member::Member;

/// One change of any kind.
#[derive(Debug)]
pub enum Seen {
    /// A component's spec.
    Component(Change<Component>),
    /// A provider's spec.
    Provider(Change<Provider>),
    /// A link.
    Link(Change<Link>),
    /// The lattice's authority.
    Authority(Change<Authority>),
    /// A team's word for a record.
    Approvals(Change<Approvals>),
    /// A token that was issued.
    Token(Change<Token>),
    /// An export.
    Export(Change<Export>),
    /// A route.
    Route(Change<Route>),
    /// A schedule.
    Schedule(Change<Schedule>),
    /// A placement on this host.
    Placement(Change<Placement>),
    /// The status of an object in some process.
    Running(Change<Running>),
}

/// Starts every watch; they end with the host's tasks.
pub(super) fn start(member: &Member, inputs: &mpsc::Sender<Input>) {
    follow::<Component>(member, "components", &Component::all(), inputs, Seen::Component);
    follow::<Provider>(member, "providers", &Provider::all(), inputs, Seen::Provider);
    follow::<Link>(member, "links", &Link::all(), inputs, Seen::Link);
    follow::<Authority>(member, "authority", key::AUTHORITY, inputs, Seen::Authority);
    follow::<Approvals>(member, "approvals", &Approvals::all(), inputs, Seen::Approvals);
    follow::<Token>(member, "tokens", &Token::all(), inputs, Seen::Token);
    follow::<Export>(member, "exports", &Export::all(), inputs, Seen::Export);
    follow::<Route>(member, "routes", &Route::all(), inputs, Seen::Route);
    follow::<Schedule>(member, "schedules", &Schedule::all(), inputs, Seen::Schedule);
    follow::<Placement>(
        member,
        "placements",
        &placements_on(member.process),
        inputs,
        Seen::Placement,
    );
    follow::<Running>(member, "running", &Running::all(), inputs, Seen::Running);
}

/// Tells of each term of this host's lease that is over.
pub(super) fn lapses(
    member: &Member,
    mut lapses: tokio::sync::watch::Receiver<u64>,
    inputs: &mpsc::Sender<Input>,
) {
    let (inputs, tasks) = (inputs.clone(), member.tasks.clone());
    member.tasks.spawn("lapses", async move {
        loop {
            let changed = tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok::<(), Infallible>(()),
                changed = lapses.changed() => changed,
            };
            if changed.is_err() || inputs.send(Input::Lapsed).await.is_err() {
                return Ok(());
            }
        }
    });
}

fn follow<R: Record>(
    member: &Member,
    name: &'static str,
    filter: &str,
    inputs: &mpsc::Sender<Input>,
    wrap: fn(Change<R>) -> Seen,
) {
    let mut watch = member.store.watch::<R>(filter);
    let (inputs, tasks) = (inputs.clone(), member.tasks.clone());
    member.tasks.spawn(name, async move {
        loop {
            let change = tokio::select! {
                // Cancel-safe, both: a change that arrives meanwhile is kept by the watch.
                () = tasks.stopping() => return Ok::<(), Infallible>(()),
                change = watch.next() => change,
            };
            if inputs.send(Input::Seen(Box::new(wrap(change)))).await.is_err() {
                return Ok(());
            }
        }
    });
}
