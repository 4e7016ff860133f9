//! The task that decides and writes the tables.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::rpc::Rpc;
use wicker_lattice::store::record::{Link, Route, Running};
use wicker_lattice::store::{Change, Entry, Record as _};
use wicker_provider::{Health, LinkRecord, ProviderInstance};

use super::records::Records;
use super::status::Since;
use super::watch::{self, Seen};
use super::{Handle, Starter, Status, StatusWrite, caretaker};
use crate::link::Router;
use crate::member::Member;
use crate::state::{Attempt, Death, Effect, Event, Failure, Spec, State};
use crate::table::{Local, Table};

/// Inputs that may wait; watches then wait too.
const QUEUE: usize = 1024;

/// Inputs taken in before the tables are rebuilt.
const BATCH: usize = 256;

/// How long what was replaced goes on taking calls: they were on their way to it.
const HANDOVER: Duration = Duration::from_secs(1);

/// How often a provider in this host is asked how it is.
const HEALTH_EVERY: Duration = Duration::from_secs(3);

/// Something that [`Control`] hears.
#[derive(Debug)]
pub enum Input {
    /// A record changed.
    Seen(Box<Seen>),
    /// A start is over.
    Started(ObjectId, Attempt, Result<Handle, Failure>),
    /// Something ended by itself.
    Died(ObjectId, Attempt, Death),
    /// How a provider here says it is.
    Health(ObjectId, Attempt, Option<String>),
    /// A pause is over.
    RetryDue(ObjectId, Attempt),
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
    /// Told all routes when one changes.
    pub routes: tokio::sync::watch::Sender<Arc<Vec<Route>>>,
}

/// Talks to the task.
#[derive(Debug, Clone)]
pub struct ControlHandle(mpsc::Sender<Input>);

/// The task's own.
#[derive(Debug)]
pub struct Control {
    pub(super) parts: Parts,
    inputs: mpsc::Sender<Input>,
    state: State,
    pub(super) records: Records,
    pub(super) running: BTreeMap<ObjectId, Run>,
    pub(super) since: HashMap<(ObjectId, ProcessId), Since>,
    pub(super) last_word: HashMap<ObjectId, Running>,
    pub(super) changed: Changed,
}

/// One thing that runs.
#[derive(Debug)]
pub(super) struct Run {
    attempt: Attempt,
    pub(super) handle: Handle,
    /// Of a component: what its imports led to when it was last told.
    pub(super) bound: Vec<(String, u64)>,
}

/// What must be rebuilt.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) places: bool,
    pub(super) links: bool,
    pub(super) routes: bool,
}

impl ControlHandle {
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
        let (member, tasks) = (parts.member.clone(), parts.member.tasks.clone());
        let control = Self {
            parts,
            inputs: inputs.clone(),
            state: State::default(),
            records: Records::default(),
            running: BTreeMap::new(),
            since: HashMap::new(),
            last_word: HashMap::new(),
            changed: Changed::default(),
        };
        tasks.spawn("control", control.run(receiver));
        tasks.spawn("caretaker", caretaker::take_turns(member));
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
            self.rebuild();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Seen(seen) => self.see(*seen),
            Input::Started(id, attempt, Ok(handle)) => self.started(&id, attempt, handle),
            Input::Started(id, attempt, Err(failure)) => {
                tracing::warn!("cannot start {id}: {}", failure.reason);
                self.apply(Event::StartFailed(id, attempt, failure));
            }
            Input::Died(id, attempt, death) => self.died(id, attempt, death),
            Input::Health(id, attempt, ailment) => self.apply(Event::Health(id, attempt, ailment)),
            Input::RetryDue(id, attempt) => self.apply(Event::RetryDue(id, attempt)),
            Input::Drain(answer) => {
                self.apply(Event::Drain);
                let handles =
                    self.running.iter().map(|(id, run)| (id.clone(), run.handle.clone())).collect();
                let _ = answer.send(handles);
            }
        }
    }

    fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Component(Change::Put(entry)) => {
                self.records.specified(&entry.record.id);
                self.apply(Event::Specified(Spec::Component(Arc::new(entry.record))));
            }
            Seen::Provider(Change::Put(entry)) => {
                self.records.specified(&entry.record.id);
                self.records.see_owner(&entry.record);
                self.changed.places = true;
                self.apply(Event::Specified(Spec::Provider(Arc::new(entry.record))));
            }
            Seen::Component(Change::Deleted { key }) | Seen::Provider(Change::Deleted { key }) => {
                if let Some(id) = last_token(&key) {
                    self.records.unspecified(&id);
                    self.changed.places = true;
                    self.apply(Event::Unspecified(id));
                }
            }
            Seen::Placement(Change::Put(entry)) => self.apply(Event::Placed(entry.record)),
            Seen::Placement(Change::Deleted { key }) => {
                if let Some(id) = last_token(&key) {
                    self.apply(Event::Unplaced(id));
                }
            }
            Seen::Running(Change::Current) => self.clear_leftovers(),
            Seen::Running(change) => {
                self.say_again(&change);
                self.changed.places |= self.records.see_running(change);
            }
            Seen::Link(change) => self.see_link(change),
            Seen::Route(change) => self.see_route(change),
            Seen::Component(Change::Current)
            | Seen::Provider(Change::Current)
            | Seen::Placement(Change::Current) => {}
        }
    }

    fn see_route(&mut self, change: Change<Route>) {
        match change {
            Change::Put(entry) => _ = self.records.routes.insert(entry.key.clone(), entry),
            Change::Deleted { key } => _ = self.records.routes.remove(&key),
            Change::Current => {}
        }
        self.changed.routes = true;
    }

    fn see_link(&mut self, change: Change<Link>) {
        match change {
            Change::Put(entry) => {
                let before = self.records.links.insert(entry.key.clone(), entry.clone());
                if before.as_ref() == Some(&entry) {
                    return;
                }
                let targets =
                    [Some(&entry.record.target), before.as_ref().map(|link| &link.record.target)];
                for target in targets.into_iter().flatten() {
                    self.tell_provider(target, &entry);
                }
            }
            Change::Deleted { key } => {
                if let Some(link) = self.records.links.remove(&key)
                    && let Some(provider) = self.provider(&link.record.target)
                {
                    let Link { source, scope, name, .. } = &link.record;
                    provider.remove_link(source, scope, name, link.revision);
                }
            }
            Change::Current => {}
        }
        self.changed.links = true;
    }

    fn provider(&self, id: &ObjectId) -> Option<Arc<dyn ProviderInstance>> {
        match self.running.get(id).map(|run| &run.handle) {
            Some(Handle::Provider(provider)) => Some(Arc::clone(provider)),
            _ => None,
        }
    }

    /// Tells a provider here of a link, and lets it open it; its failure is in the provider's health and log.
    fn tell_provider(&self, target: &ObjectId, link: &Entry<Link>) {
        if let Some(provider) = self.provider(target) {
            let record = LinkRecord { link: link.record.clone(), revision: link.revision };
            self.parts
                .member
                .tasks
                .spawn_work(async move { _ = provider.apply_link(record).await });
        }
    }

    /// Writes anew what somebody took for left over, because this host was frozen or cut off for longer than its lease.
    fn say_again(&self, change: &Change<Running>) {
        let Change::Deleted { key } = change else { return };
        let own = self.parts.member.process;
        let is_it = |word: &&Running| word.process == own && word.key() == *key;
        let word = self.last_word.values().find(is_it).filter(|_| !self.state.is_draining());
        if let Some(word) = word {
            self.parts.status.write(StatusWrite::Put(Box::new(word.clone())));
        }
    }

    /// Status records of an earlier life of this host: what they speak of does not run.
    fn clear_leftovers(&self) {
        let own = self.parts.member.process;
        for object in self.records.own_leftovers(own, |id| self.last_word.contains_key(id)) {
            self.parts.status.write(StatusWrite::Delete(object, own));
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        for effect in self.state.apply(event) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start(attempt, spec) => self.begin(attempt, spec, None),
            Effect::Replace(attempt, spec) => {
                self.parts.table.remove_local(spec.id());
                let before = self.running.remove(spec.id()).map(|run| run.handle);
                self.begin(attempt, spec, before);
            }
            // A start that is no longer wanted is dropped when it reports.
            Effect::Discard(..) => {}
            Effect::Stop(id) => self.stop(&id),
            Effect::Retry(id, attempt, pause) => self.later(id, attempt, pause),
            Effect::Report(report) => self.report(report),
            Effect::Refuse(id, why) => tracing::warn!("{id}: {why}"),
        }
    }

    fn begin(&self, attempt: Attempt, spec: Spec, before: Option<Handle>) {
        let (starter, inputs) = (self.parts.starter.clone(), self.inputs.clone());
        self.parts.member.tasks.spawn_work(async move {
            if let Some(before) = before {
                before.drain().await;
            }
            let outcome = Box::pin(starter.start(&spec)).await;
            let _ = inputs.send(Input::Started(spec.id().clone(), attempt, outcome)).await;
        });
    }

    fn later(&self, id: ObjectId, attempt: Attempt, pause: Duration) {
        let inputs = self.inputs.clone();
        self.parts.member.tasks.spawn_work(async move {
            sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            let _ = inputs.send(Input::RetryDue(id, attempt)).await;
        });
    }

    /// Puts what has started in place of what ran; unless it is not wanted any more.
    fn started(&mut self, id: &ObjectId, attempt: Attempt, handle: Handle) {
        let effects = self.state.apply(Event::Started(id.clone(), attempt));
        if effects.contains(&Effect::Discard(id.clone(), attempt)) {
            return self.drain_later(handle);
        }
        self.install(id, attempt, handle);
        self.changed.links = true;
        effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    fn install(&mut self, id: &ObjectId, attempt: Attempt, handle: Handle) {
        let mut run = Run { attempt, handle, bound: Vec::new() };
        match run.handle.clone() {
            Handle::Component(actor) => {
                self.bind(id, &mut run);
                self.parts.table.put_local(id, Local::Component(actor));
            }
            Handle::Provider(provider) => {
                self.look_after(id, attempt, &provider);
                let records: Vec<_> = self.records.links_to(id).cloned().collect();
                self.parts.table.put_local(id, Local::Provider(provider));
                let before = self.running.insert(id.clone(), run);
                records.iter().for_each(|link| self.tell_provider(id, link));
                self.drain_before(before);
                return;
            }
            Handle::Process(process) => {
                // From here on it speaks for itself, in its own key.
                let own = self.parts.member.process;
                self.parts.status.write(StatusWrite::Delete(id.clone(), own));
                let (inputs, id) = (self.inputs.clone(), id.clone());
                self.parts.member.tasks.spawn_work(async move {
                    if let Some(death) = process.ended().await {
                        let _ = inputs.send(Input::Died(id, attempt, death)).await;
                    }
                });
            }
        }
        let before = self.running.insert(id.clone(), run);
        self.drain_before(before);
    }

    /// Asks a provider here how it is, again and again, for as long as it is held.
    fn look_after(&self, id: &ObjectId, attempt: Attempt, provider: &Arc<dyn ProviderInstance>) {
        let (provider, inputs, id) = (Arc::downgrade(provider), self.inputs.clone(), id.clone());
        let tasks = self.parts.member.tasks.clone();
        self.parts.member.tasks.spawn_work(async move {
            loop {
                tokio::select! {
                    // Cancel-safe, both.
                    () = tasks.stopping() => return,
                    () = sleep(HEALTH_EVERY) => {}
                }
                let Some(provider) = provider.upgrade() else { return };
                let ailment = match provider.health().await {
                    Health::Ready => None,
                    Health::Degraded(why) => Some(why),
                };
                let _ = inputs.send(Input::Health(id.clone(), attempt, ailment)).await;
            }
        });
    }

    fn drain_before(&self, before: Option<Run>) {
        if let Some(before) = before {
            self.drain_later(before.handle);
        }
    }

    /// Drains what is out of the table. A request that had looked it up a moment ago still finds it open.
    fn drain_later(&self, handle: Handle) {
        self.parts.member.tasks.spawn_work(async move {
            sleep(HANDOVER).await;
            handle.drain().await;
        });
    }

    fn died(&mut self, id: ObjectId, attempt: Attempt, death: Death) {
        if self.running.get(&id).is_some_and(|run| run.attempt == attempt) {
            self.running.remove(&id);
            if !self.state.is_draining() {
                tracing::warn!("{id} died after {:?}: {}", death.ran_for, death.reason);
            }
        }
        self.apply(Event::Died(id, attempt, death));
    }

    fn stop(&mut self, id: &ObjectId) {
        self.parts.table.remove_local(id);
        let process = self.process_of(id);
        if let Some(run) = self.running.remove(id) {
            self.drain_later(run.handle);
        }
        self.last_word.remove(id);
        self.since.remove(&(id.clone(), process));
        self.parts.status.write(StatusWrite::Delete(id.clone(), process));
        self.parts.member.tell(
            EventKind::ObjectStopped,
            Some(id),
            format!("{id} was asked to stop, and has"),
        );
        tracing::info!("{id} stopped");
    }

    /// Where calls to `id` go: this host, or the process that it launched for it.
    pub(super) fn process_of(&self, id: &ObjectId) -> ProcessId {
        match self.running.get(id).map(|run| &run.handle) {
            Some(Handle::Process(process)) => process.id(),
            _ => self.parts.member.process,
        }
    }
}

/// The object that a key ends with: `component.<id>`, `placement.<process>.<id>`.
fn last_token(key: &str) -> Option<ObjectId> {
    key.rsplit('.').next().and_then(|token| ObjectId::from_token(token).ok())
}
