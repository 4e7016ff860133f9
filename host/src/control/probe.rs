//! Asks components whether they are ready for calls: before they take the first one, and ever again. What came of it is
//! for [`State`](crate::state::State) to judge.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wicker_engine::Actor;
use wicker_lattice::id::ObjectId;

use super::task::Run;
use super::{Control, Handle, Input, Started};
use crate::state::{Attempt, Event, Unready};

impl Control {
    /// Puts what has started in place, once it says that it is ready. It has its links by then.
    pub(super) fn prove(&mut self, id: &ObjectId, attempt: Attempt, started: Started) {
        let actor = match &started.handle {
            Handle::Component(actor) if actor.config().ready.is_some() => Arc::clone(actor),
            _ => return self.started(id, attempt, started),
        };
        if !self.state.is_starting(id, attempt) {
            return self.drain_later(id, started);
        }
        let mut run = Run::new(attempt, started);
        self.bind(id, &mut run);
        self.ask(id, attempt, &actor, Duration::ZERO);
        self.unproven.insert(id.clone(), run);
        self.changed.links = true;
    }

    /// Takes in what something says of itself.
    pub(super) fn probed(&mut self, id: &ObjectId, attempt: Attempt, answer: Result<(), String>) {
        let is_it = |run: &Run| run.attempt == attempt;
        let is_new = self.unproven.contains_key(id);
        let waits_for = match self.unproven.get(id).filter(|run| is_it(run)) {
            Some(run) if answer.is_err() => run.waiting.clone(),
            Some(_) => {
                if let Some(run) = self.unproven.remove(id) {
                    self.started(id, attempt, run.started);
                }
                return;
            }
            None => Vec::new(),
        };
        match answer {
            Ok(()) => self.apply(Event::Ready(id.clone(), attempt)),
            Err(why) => {
                let unready = Unready { why: why.clone(), waits_for };
                self.apply(Event::NotReady(id.clone(), attempt, unready));
                if is_new && !self.unproven.contains_key(id) {
                    tracing::warn!("cannot start {id}: it is not ready: {why}");
                }
            }
        }
        self.ask_on(id, attempt);
    }

    /// Asks what is in place, from an interval on.
    pub(super) fn ask_again(&self, id: &ObjectId, attempt: Attempt, actor: &Arc<Actor>) {
        if let Some(ready) = &actor.config().ready {
            self.ask(id, attempt, actor, Duration::from_millis(ready.interval_ms));
        }
    }

    /// Asks on after an answer, unless it is of something that is gone.
    fn ask_on(&self, id: &ObjectId, attempt: Attempt) {
        let known = [self.unproven.get(id), self.running.get(id)];
        let run = known.into_iter().flatten().find(|run| run.attempt == attempt);
        if let Some(Handle::Component(actor)) = run.map(Run::handle) {
            self.ask_again(id, attempt, actor);
        }
    }

    /// Asks once, after a pause.
    fn ask(&self, id: &ObjectId, attempt: Attempt, actor: &Arc<Actor>, pause: Duration) {
        let (inputs, tasks) = (self.inputs.clone(), self.parts.member.tasks.clone());
        let (id, actor) = (id.clone(), Arc::downgrade(actor));
        self.parts.member.tasks.spawn_work(async move {
            tokio::select! {
                // Cancel-safe, both.
                () = tasks.stopping() => return,
                () = sleep(pause) => {}
            }
            if let Some(actor) = actor.upgrade() {
                let answer = Box::pin(actor.probe()).await;
                let _ = inputs.send(Input::Probed(id, attempt, answer)).await;
            }
        });
    }

    /// Drops what has started and is not wanted any more.
    pub(super) fn discard(&mut self, id: &ObjectId, attempt: Attempt) {
        if self.unproven.get(id).is_some_and(|run| run.attempt == attempt)
            && let Some(run) = self.unproven.remove(id)
        {
            self.drain_later(id, run.started);
        }
    }

    /// Lets calls in again.
    pub(super) fn show(&self, id: &ObjectId) {
        if let Some(run) = self.running.get(id) {
            self.let_in(id, &run.started);
        }
    }
}
