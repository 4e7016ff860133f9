//! The task that decides and writes the tables.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::rpc::Rpc;
use wicker_lattice::store::record::{Route, Running, Schedule};
use wicker_lattice::token::trust::Trust;
use wicker_lattice::types::World;

use super::generations::Generations;
use super::records::Records;
use super::secrets;
use super::status::Since;
use super::trust::Known;
use super::watch::{self, Seen};
use super::{Handle, Lease, Started, Starter, Status};
use crate::link::Router;
use crate::member::Member;
use crate::state::{Attempt, Death, Effect, Event, Failure, State};
use crate::table::Table;

/// Inputs that may wait; watches then wait too.
const QUEUE: usize = 1024;

/// Inputs taken in before the tables are rebuilt.
const BATCH: usize = 256;

/// The file of the data directory that holds the newest generations.
const GENERATIONS: &str = "generations.json";

/// Something that [`Control`] hears.
#[derive(Debug)]
pub enum Input {
    /// A record changed.
    Seen(Box<Seen>),
    /// A start is over.
    Started(ObjectId, Attempt, Result<Started, Failure>),
    /// Something ended by itself.
    Died(ObjectId, Attempt, Death),
    /// How a provider here says it is: what ails it, and which links it cannot serve.
    Health(ObjectId, Attempt, Option<String>, BTreeMap<String, String>),
    /// What something offers, by its digest; `None`: that could not be read.
    World(String, Option<World>),
    /// Some secret may have changed.
    Secrets,
    /// A pause is over.
    RetryDue(ObjectId, Attempt),
    /// Whether something is ready for calls, as it says.
    Probed(ObjectId, Attempt, Result<(), String>),
    /// Somebody asks for what runs here under a name.
    Find(ObjectId, oneshot::Sender<Option<Handle>>),
    /// This host's lease had run out.
    Lapsed,
    /// The host is about to stop: say so of everything. Answered with what runs.
    Drain(oneshot::Sender<Vec<(ObjectId, Handle)>>),
}

/// What [`Control`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// This host.
    pub member: Member,
    /// What it writes.
    pub table: Arc<Table>,
    /// Where calls to other processes go.
    pub rpc: Rpc,
    /// What links lead through.
    pub router: Arc<Router>,
    /// How things start.
    pub starter: Starter,
    /// Where it says what runs.
    pub status: Status,
    /// Where it says that something does not work.
    pub lease: Lease,
    /// Told all routes when one changes.
    pub routes: tokio::sync::watch::Sender<Arc<Vec<Route>>>,
    /// Told all schedules when one changes.
    pub schedules: tokio::sync::watch::Sender<Arc<Vec<Schedule>>>,
}

/// Talks to the task.
#[derive(Debug, Clone)]
pub struct ControlHandle(mpsc::Sender<Input>);

/// The task's own.
#[derive(Debug)]
pub struct Control {
    pub(super) parts: Parts,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) state: State,
    pub(super) records: Records,
    pub(super) running: BTreeMap<ObjectId, Run>,
    /// What has started and has not said that it is ready yet.
    pub(super) unproven: BTreeMap<ObjectId, Run>,
    pub(super) since: HashMap<(ObjectId, ProcessId), Since>,
    pub(super) last_word: HashMap<ObjectId, Running>,
    pub(super) changed: Changed,
    /// Which records this host acts on; those that it does not, by key; and what it has said of them.
    pub(super) trust: Trust,
    pub(super) known: Known,
    pub(super) held: BTreeMap<String, Seen>,
    pub(super) refused: HashMap<String, String>,
    /// Every export that there was has been read.
    pub(super) exports_are_known: bool,
    generations: Generations,
}

/// One thing that runs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) attempt: Attempt,
    pub(super) started: Started,
    /// Of a component: what its imports led to when it was last told.
    pub(super) bound: Vec<(String, u64, bool)>,
    /// Of a component: what of its imports their targets do not offer.
    pub(super) faults: Vec<String>,
    /// Of a component: what its imports wait for.
    pub(super) waiting: Vec<String>,
    /// Of a component: why calls through some of its links are denied.
    pub(super) closed: Vec<String>,
    /// Of a provider: the links that it cannot serve, and why.
    pub(super) failing_links: BTreeMap<String, String>,
}

impl Run {
    pub(super) fn new(attempt: Attempt, started: Started) -> Self {
        let (bound, faults) = (Vec::new(), Vec::new());
        let (waiting, closed) = (Vec::new(), Vec::new());
        let failing_links = BTreeMap::new();
        Self { attempt, started, bound, faults, waiting, closed, failing_links }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.started.handle
    }
}

/// What must be rebuilt.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) places: bool,
    pub(super) links: bool,
    pub(super) routes: bool,
    pub(super) schedules: bool,
    pub(super) exports: bool,
    pub(super) secrets: bool,
}

impl ControlHandle {
    /// What runs here under this name.
    pub async fn find(&self, id: &ObjectId) -> Option<Handle> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Input::Find(id.clone(), answer)).await;
        answered.await.ok().flatten()
    }

    /// Says of everything that it drains, and returns what runs.
    pub async fn drain(&self) -> Vec<(ObjectId, Handle)> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Input::Drain(answer)).await;
        answered.await.unwrap_or_default()
    }
}

impl Control {
    /// Starts the watches and the task.
    #[must_use]
    pub fn start(parts: Parts) -> ControlHandle {
        let (inputs, receiver) = mpsc::channel(QUEUE);
        watch::start(&parts.member, &inputs);
        secrets::follow(&parts.member, &parts.starter.secrets, &inputs);
        watch::lapses(&parts.member, parts.lease.own().lapses(), &inputs);
        let tasks = parts.member.tasks.clone();
        let file = parts.starter.data.path().join(GENERATIONS);
        let generations = Generations::read(file, &parts.member.store.epoch());
        let trust = Trust::new(&parts.member.lattice);
        let mut control = Self {
            parts,
            inputs: inputs.clone(),
            state: State::remembering(generations.newest()),
            generations,
            records: Records::default(),
            running: BTreeMap::new(),
            unproven: BTreeMap::new(),
            since: HashMap::new(),
            last_word: HashMap::new(),
            changed: Changed::default(),
            exports_are_known: false,
            trust,
            known: Known::default(),
            held: BTreeMap::new(),
            refused: HashMap::new(),
        };
        control.remember_authority();
        tasks.spawn("control", control.run(receiver));
        ControlHandle(inputs)
    }

    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> Result<(), Infallible> {
        let tasks = self.parts.member.tasks.clone();
        loop {
            let input = tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return Ok(()),
                input = inputs.recv() => input,
            };
            let Some(input) = input else { return Ok(()) };
            self.take(input);
            for _ in 1..BATCH {
                let Ok(input) = inputs.try_recv() else { break };
                self.take(input);
            }
            self.generations.keep(self.state.generations());
            self.rebuild();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Seen(seen) => self.see(*seen),
            Input::Started(id, attempt, Ok(started)) => self.prove(&id, attempt, started),
            Input::Started(id, attempt, Err(failure)) => {
                tracing::warn!("cannot start {id}: {}", failure.reason);
                self.apply(Event::StartFailed(id, attempt, failure));
            }
            Input::Died(id, attempt, death) => self.died(id, attempt, death),
            Input::Health(id, attempt, ailment, links) => {
                if let Some(run) = self.running.get_mut(&id).filter(|run| run.attempt == attempt) {
                    run.failing_links = links;
                }
                self.apply(Event::Health(id, attempt, ailment));
            }
            Input::World(types, world) => {
                self.changed.links |= world.is_some();
                self.records.learn_world(types, world);
            }
            Input::Secrets => self.changed.secrets = true,
            Input::RetryDue(id, attempt) => self.apply(Event::RetryDue(id, attempt)),
            Input::Probed(id, attempt, answer) => self.probed(&id, attempt, answer),
            Input::Find(id, answer) => {
                let _ = answer.send(self.running.get(&id).map(|run| run.handle().clone()));
            }
            Input::Lapsed => self.apply(Event::Lapsed),
            Input::Drain(answer) => {
                self.apply(Event::Drain);
                let handle = |(id, run): (&ObjectId, &Run)| (id.clone(), run.handle().clone());
                let _ = answer.send(self.running.iter().map(handle).collect());
            }
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        for effect in self.state.apply(event) {
            self.carry_out(effect);
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start(attempt, spec) => self.begin(attempt, spec, None),
            Effect::Replace(attempt, spec) => {
                self.parts.table.remove_local(spec.id());
                let before = self.running.remove(spec.id()).map(|run| run.started.handle);
                self.begin(attempt, spec, before);
            }
            // A start that is no longer wanted is dropped when it reports.
            Effect::Discard(id, attempt) => self.discard(&id, attempt),
            Effect::Fence(id) => self.fence(&id),
            Effect::Hide(id) => {
                tracing::warn!("{id} is not ready: calls go elsewhere");
                self.parts.table.remove_local(&id);
            }
            Effect::Show(id) => self.show(&id),
            Effect::Stop(id) => self.stop(&id),
            Effect::Retry(id, attempt, pause) => self.later(id, attempt, pause),
            Effect::Report(report) => self.report(report),
            Effect::Refuse(id, why) => tracing::warn!("{id}: {why}"),
        }
    }
}
