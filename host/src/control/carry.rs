//! Carries out what was decided, each in a task of its own: starts, puts what has started in place, looks after it, stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wicker_lattice::call::Invoke;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_provider::{Health, ProviderInstance};

use super::task::Run;
use super::{Control, Handle, Input, Started, StatusWrite};
use crate::fence::{Fenced, release};
use crate::state::{Attempt, Death, Effect, Event, Spec};
use crate::table::Local;

/// How long what was replaced goes on taking calls: they were on their way to it.
const HANDOVER: Duration = Duration::from_secs(1);

/// How often a provider in this host is asked how it is.
const HEALTH_EVERY: Duration = Duration::from_secs(3);

impl Control {
    pub(super) fn begin(&self, attempt: Attempt, spec: Spec, before: Option<Handle>) {
        let (starter, inputs) = (self.parts.starter.clone(), self.inputs.clone());
        self.parts.member.tasks.spawn_work(async move {
            if let Some(before) = before {
                before.drain().await;
            }
            let outcome = Box::pin(starter.start(&spec)).await;
            let _ = inputs.send(Input::Started(spec.id().clone(), attempt, outcome)).await;
        });
    }

    pub(super) fn later(&self, id: ObjectId, attempt: Attempt, pause: Duration) {
        let inputs = self.inputs.clone();
        self.parts.member.tasks.spawn_work(async move {
            sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            let _ = inputs.send(Input::RetryDue(id, attempt)).await;
        });
    }

    /// Puts what has started in place of what ran; unless it is not wanted any more.
    pub(super) fn started(&mut self, id: &ObjectId, attempt: Attempt, started: Started) {
        let effects = self.state.apply(Event::Started(id.clone(), attempt));
        if effects.contains(&Effect::Discard(id.clone(), attempt)) {
            return self.drain_later(id, started);
        }
        self.install(id, attempt, started);
        self.changed.links = true;
        effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    fn install(&mut self, id: &ObjectId, attempt: Attempt, started: Started) {
        let mut run = Run::new(attempt, started);
        match run.handle().clone() {
            Handle::Component(actor) => {
                self.bind(id, &mut run);
                self.ask_again(id, attempt, &actor);
                self.let_in(id, &run.started);
            }
            Handle::Provider(provider) => {
                self.look_after(id, attempt, &provider);
                let records: Vec<_> = self.records.links_at(id).collect();
                self.let_in(id, &run.started);
                let before = self.running.insert(id.clone(), run);
                records.into_iter().for_each(|link| self.tell_provider(id, link));
                self.drain_before(id, before);
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
        self.drain_before(id, before);
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
                let links = provider.failing_links();
                let _ = inputs.send(Input::Health(id.clone(), attempt, ailment, links)).await;
            }
        });
    }

    /// Lets calls in.
    pub(super) fn let_in(&self, id: &ObjectId, started: &Started) {
        if let Some(local) = local(started) {
            self.parts.table.put_local(id, local);
        }
    }

    fn drain_before(&self, id: &ObjectId, before: Option<Run>) {
        if let Some(before) = before {
            self.drain_later(id, before.started);
        }
    }

    /// Drains what is out of the table. A request that had looked it up a moment ago still finds it open; a singleton is
    /// let go of as soon as it has ended, because the next host waits for it.
    pub(super) fn drain_later(&self, id: &ObjectId, Started { handle, guard }: Started) {
        let (member, id) = (self.parts.member.clone(), id.clone());
        self.parts.member.tasks.spawn_work(async move {
            if guard.is_none() {
                sleep(HANDOVER).await;
            }
            handle.drain().await;
            if let Some(guard) = guard {
                release(&member, &id, &guard).await;
            }
        });
    }

    /// Ends a singleton that may run elsewhere by now: nothing goes in or out of it any more.
    pub(super) fn fence(&mut self, id: &ObjectId) {
        self.parts.table.remove_local(id);
        if let Some(run) = self.running.remove(id) {
            tracing::warn!("{id} ended: it is a singleton, and this host's lease had run out");
            let handle = run.started.handle;
            self.parts.member.tasks.spawn_work(async move { handle.cut_off().await });
        }
    }

    pub(super) fn died(&mut self, id: ObjectId, attempt: Attempt, death: Death) {
        if self.running.get(&id).is_some_and(|run| run.attempt == attempt) {
            self.running.remove(&id);
            if !self.state.is_draining() {
                tracing::warn!("{id} died after {:?}: {}", death.ran_for, death.reason);
            }
        }
        self.apply(Event::Died(id, attempt, death));
    }

    pub(super) fn stop(&mut self, id: &ObjectId) {
        self.parts.table.remove_local(id);
        let process = self.process_of(id);
        if let Some(run) = self.running.remove(id) {
            self.drain_later(id, run.started);
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
        match self.running.get(id).map(Run::handle) {
            Some(Handle::Process(process)) => process.id(),
            _ => self.parts.member.process,
        }
    }
}

/// What calls to it go to; `None` where it runs in a process of its own, which is called there.
fn local(Started { handle, guard }: &Started) -> Option<Local> {
    let boundary: Arc<dyn Invoke> = match (handle, guard) {
        (Handle::Component(actor), None) => return Some(Local::Component(Arc::clone(actor))),
        (Handle::Component(actor), Some(_)) => Arc::clone(actor) as _,
        (Handle::Provider(provider), _) => Arc::clone(provider) as _,
        (Handle::Process(_), _) => return None,
    };
    Some(Local::Boundary(match guard {
        Some(guard) => Arc::new(Fenced::new(boundary, guard.clone())),
        None => boundary,
    }))
}
