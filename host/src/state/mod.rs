//! What this host should do next: pure, `(State, Event) -> Effects`, so that it runs in simulation.
//!
//! It knows what is placed here, what that should be, and what runs. Absence of information never stops anything: an
//! object stops when its placement was *deleted*, not when it cannot be read. Orders of an older generation are
//! refused. Neighbours: [`crate::control`] feeds it and carries out its effects.

mod failure;
mod object;
mod spec;

pub use failure::{Failure, one_line};
pub use spec::Spec;

use std::collections::BTreeMap;
use std::time::Duration;

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{ObjectKind, Placement, RunState};

use self::object::{Failed, Object, Run};

/// The first pause after a failed start; doubles with each failure in a row.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// The longest pause between two starts of something that keeps failing.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What ran for this long before it died starts again as if it had never failed.
const STEADY: Duration = Duration::from_secs(60);

/// What this host knows and does, about every object that was ever placed on it.
#[derive(Debug, Default)]
pub struct State {
    objects: BTreeMap<ObjectId, Object>,
    attempts: u64,
    is_draining: bool,
}

/// Numbers the starts that this host tried, over all objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u64);

/// Something that this host heard or that came of an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An object was placed here.
    Placed(Placement),
    /// A placement here was deleted.
    Unplaced(ObjectId),
    /// What an object should be.
    Specified(Spec),
    /// An object's spec was deleted.
    Unspecified(ObjectId),
    /// A start succeeded; what it started serves from now on.
    Started(ObjectId, Attempt),
    /// A start failed.
    StartFailed(ObjectId, Attempt, Failure),
    /// What had been started ended by itself.
    Died(ObjectId, Attempt, Death),
    /// The pause after a failure is over.
    RetryDue(ObjectId, Attempt),
    /// How something that runs says it is: `None` well, else why not.
    Health(ObjectId, Attempt, Option<String>),
    /// What a running object's imports wait for; empty: nothing.
    Waiting(ObjectId, Vec<String>),
    /// What has started says that it is ready for calls.
    Ready(ObjectId, Attempt),
    /// What has started, or is about to, says that it is not ready for calls.
    NotReady(ObjectId, Attempt, Unready),
    /// This host's lease had run out: others may run its singletons by now.
    Lapsed,
    /// The host is about to stop.
    Drain,
}

/// Why something says that it is not ready for calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// For people, one line.
    pub why: String,
    /// What its imports wait for. As long as that is not there, the answer is not held against it.
    pub waits_for: Vec<String>,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// For people, one line.
    pub reason: String,
    /// How long it had run.
    pub ran_for: Duration,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start this; what the object ran before serves until [`Event::Started`], and is then drained.
    Start(Attempt, Spec),
    /// Stop what the object runs, wait until it has drained, then start this: two of it must not run at once.
    Replace(Attempt, Spec),
    /// What this attempt started, or still starts, is not wanted any more: drain it.
    Discard(ObjectId, Attempt),
    /// The object leaves: take no more calls for it, drain it, and delete its status.
    Stop(ObjectId),
    /// It is a singleton, and others may run it by now: end it at once. What is started next claims it anew.
    Fence(ObjectId),
    /// It is not ready: take no more calls for it, and finish those under way.
    Hide(ObjectId),
    /// It is ready again: take calls.
    Show(ObjectId),
    /// Look again after this pause.
    Retry(ObjectId, Attempt, Duration),
    /// Write the object's status.
    Report(Report),
    /// An order was refused; why.
    Refuse(ObjectId, String),
}

/// The part of a status record that is decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose.
    pub object: ObjectId,
    /// Component or provider.
    pub kind: ObjectKind,
    /// Of the spec that runs or should run.
    pub generation: u64,
    /// How it is.
    pub state: RunState,
    /// Why.
    pub reason: Option<String>,
    /// A newer generation that could not be started.
    pub failed_generation: Option<u64>,
}

impl State {
    /// A state that knows which generations were seen before.
    #[must_use]
    pub fn remembering(newest: &BTreeMap<ObjectId, u64>) -> Self {
        let object = |(id, newest): (&ObjectId, &u64)| {
            (id.clone(), Object { newest: *newest, ..Object::default() })
        };
        Self { objects: newest.iter().map(object).collect(), ..Self::default() }
    }

    /// The newest generation of each object that an application ordered.
    pub fn generations(&self) -> impl Iterator<Item = (&ObjectId, u64)> {
        let newest = self.objects.iter().map(|(id, object)| (id, object.newest));
        newest.filter(|(_, newest)| *newest > 0)
    }

    /// Whether the host is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Takes in one event and says what to do about it.
    pub fn apply(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Placed(placement) => self.placed(placement, &mut effects),
            Event::Unplaced(id) => self.unplaced(&id, &mut effects),
            Event::Specified(spec) => self.specified(spec, &mut effects),
            Event::Unspecified(id) => self.unspecified(&id),
            Event::Started(id, attempt) => self.started(&id, attempt, &mut effects),
            Event::StartFailed(id, attempt, failure) => {
                self.start_failed(&id, attempt, failure, &mut effects)
            }
            Event::Died(id, attempt, death) => self.died(&id, attempt, death, &mut effects),
            Event::RetryDue(id, attempt) => self.retry_due(&id, attempt, &mut effects),
            Event::Health(id, attempt, ailment) => self.health(&id, attempt, ailment, &mut effects),
            Event::Waiting(id, waiting) => self.waiting(&id, waiting, &mut effects),
            Event::Ready(id, attempt) => self.ready(&id, attempt, &mut effects),
            Event::NotReady(id, attempt, unready) => {
                self.not_ready(&id, attempt, unready, &mut effects)
            }
            Event::Lapsed => self.lapsed(&mut effects),
            Event::Drain => self.drain(&mut effects),
        }
        effects
    }

    fn placed(&mut self, placement: Placement, effects: &mut Vec<Effect>) {
        let id = placement.object.clone();
        let object = self.objects.entry(id.clone()).or_default();
        if object.has_newer(placement.generation) {
            effects.push(refusal(&id, placement.generation, object.newest));
            return;
        }
        object.newest = placement.generation;
        object.placement = Some(placement);
        self.converge(&id, effects);
    }

    fn unplaced(&mut self, id: &ObjectId, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        object.placement = None;
        let starting = object.starting.take();
        effects.extend(starting.map(|run| Effect::Discard(id.clone(), run.attempt)));
        let had_something = object.running.take().is_some() | object.failed.take().is_some();
        if had_something || !effects.is_empty() {
            effects.push(Effect::Stop(id.clone()));
        }
        (object.failures_in_a_row, object.waiting) = (0, Vec::new());
    }

    fn specified(&mut self, spec: Spec, effects: &mut Vec<Effect>) {
        let id = spec.id().clone();
        let object = self.objects.entry(id.clone()).or_default();
        if object.has_newer(spec.generation()) {
            effects.push(refusal(&id, spec.generation(), object.newest));
            return;
        }
        object.spec = Some(spec);
        self.converge(&id, effects);
    }

    /// What an object is specified as.
    #[must_use]
    pub fn kind_of(&self, id: &ObjectId) -> Option<ObjectKind> {
        self.objects.get(id)?.spec.as_ref().map(Spec::kind)
    }

    /// A spec that is gone stops nothing (its placement's end does); but the next order may begin at any generation.
    fn unspecified(&mut self, id: &ObjectId) {
        let Some(object) = self.objects.get_mut(id) else { return };
        (object.spec, object.newest) = (None, 0);
        if object.placement.is_none() {
            self.objects.remove(id);
        }
    }

    fn started(&mut self, id: &ObjectId, attempt: Attempt, effects: &mut Vec<Effect>) {
        let object = self.objects.get_mut(id);
        let Some(object) = object.filter(|object| is_attempt(object.starting.as_ref(), attempt))
        else {
            effects.push(Effect::Discard(id.clone(), attempt));
            return;
        };
        object.running = object.starting.take();
        (object.failed, object.ailment) = (None, None);
        effects.extend(object.report());
        self.converge(id, effects);
    }

    fn start_failed(
        &mut self,
        id: &ObjectId,
        attempt: Attempt,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if !is_attempt(object.starting.as_ref(), attempt) {
            return;
        }
        let Some(run) = object.starting.take() else { return };
        object.failures_in_a_row += 1;
        if !failure.is_final {
            effects.push(Effect::Retry(id.clone(), attempt, pause(object.failures_in_a_row)));
        }
        object.failed = Some(Failed { run, reason: failure.reason });
        effects.extend(object.report());
        self.converge(id, effects);
    }

    fn died(&mut self, id: &ObjectId, attempt: Attempt, death: Death, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if !is_attempt(object.running.as_ref(), attempt) {
            return;
        }
        let Some(run) = object.running.take() else { return };
        object.failures_in_a_row =
            if death.ran_for >= STEADY { 1 } else { object.failures_in_a_row + 1 };
        if object.starting.is_none() && !self.is_draining {
            effects.push(Effect::Retry(id.clone(), attempt, pause(object.failures_in_a_row)));
        }
        object.failed = Some(Failed { run, reason: death.reason });
        // What ends while the host drains was told to.
        effects.extend((!self.is_draining).then(|| object.report()).flatten());
    }

    fn retry_due(&mut self, id: &ObjectId, attempt: Attempt, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if object.failed.as_ref().is_some_and(|failed| failed.run.attempt == attempt) {
            object.failed = None;
            self.converge(id, effects);
        }
    }

    fn health(
        &mut self,
        id: &ObjectId,
        attempt: Attempt,
        ailment: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if is_attempt(object.running.as_ref(), attempt)
            && object.ailment != ailment
            && !self.is_draining
        {
            object.ailment = ailment;
            effects.extend(object.report());
        }
    }

    fn waiting(&mut self, id: &ObjectId, waiting: Vec<String>, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if object.waiting != waiting && !self.is_draining {
            object.waiting = waiting;
            effects.extend(object.running.is_some().then(|| object.report()).flatten());
        }
    }

    fn ready(&mut self, id: &ObjectId, attempt: Attempt, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        let Some(run) = object.run_mut(attempt) else { return };
        let before = std::mem::take(&mut run.probed);
        if before.is_hidden && !self.is_draining {
            effects.push(Effect::Show(id.clone()));
            effects.extend(object.report());
        }
    }

    fn not_ready(
        &mut self,
        id: &ObjectId,
        attempt: Attempt,
        unready: Unready,
        effects: &mut Vec<Effect>,
    ) {
        let Some(object) = self.objects.get_mut(id).filter(|_| !self.is_draining) else { return };
        let Some(run) = object.run_mut(attempt) else { return };
        let is_refused = run.is_refused(unready);
        let why = run.probed.why.clone();
        if is_attempt(object.running.as_ref(), attempt) {
            let is_news = is_refused && object.hide();
            effects.extend(is_news.then(|| Effect::Hide(id.clone())));
            effects.extend(object.is_hidden().then(|| object.report()).flatten());
        } else if is_refused {
            let reason = format!("it is not ready: {}", why.unwrap_or_default());
            effects.push(Effect::Discard(id.clone(), attempt));
            self.start_failed(id, attempt, Failure { reason, is_final: false }, effects);
        } else {
            effects.extend(object.report());
        }
    }

    /// Whether it is being started by this attempt.
    #[must_use]
    pub fn is_starting(&self, id: &ObjectId, attempt: Attempt) -> bool {
        self.objects.get(id).is_some_and(|object| is_attempt(object.starting.as_ref(), attempt))
    }

    fn lapsed(&mut self, effects: &mut Vec<Effect>) {
        let is_singleton = |run: &mut Run| run.spec.is_singleton();
        let mut over = Vec::new();
        for (id, object) in &mut self.objects {
            let running = object.running.take_if(is_singleton);
            let starting = object.starting.take_if(is_singleton);
            if running.is_some() {
                effects.push(Effect::Fence(id.clone()));
            }
            effects.extend(starting.as_ref().map(|run| Effect::Discard(id.clone(), run.attempt)));
            if running.is_some() || starting.is_some() {
                over.push(id.clone());
            }
        }
        over.iter().for_each(|id| self.converge(id, effects));
    }

    fn drain(&mut self, effects: &mut Vec<Effect>) {
        self.is_draining = true;
        for object in self.objects.values_mut() {
            let starting = object.starting.take();
            if let Some(run) = starting {
                effects.push(Effect::Discard(run.spec.id().clone(), run.attempt));
            }
            if let Some(run) = &object.running {
                effects.push(Effect::Report(run.report(RunState::Draining, None)));
            }
        }
    }

    /// Starts what is wanted and neither runs nor is being started nor waits after a failure.
    fn converge(&mut self, id: &ObjectId, effects: &mut Vec<Effect>) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if self.is_draining || object.placement.is_none() {
            return;
        }
        let Some(spec) = object.spec.clone() else { return };
        if object.awaits_its_turn(&spec) {
            return;
        }
        if let Some(starting) = &mut object.starting {
            if starting.spec.runs_as(&spec) {
                starting.spec = spec;
                return;
            }
            effects.push(Effect::Discard(id.clone(), starting.attempt));
            object.starting = None;
        }
        if let Some(running) = &mut object.running
            && running.spec.runs_as(&spec)
        {
            let is_reordered = running.spec.generation() != spec.generation();
            running.spec = spec;
            object.failed = None;
            effects.extend(is_reordered.then(|| object.report()).flatten());
            return;
        }
        if object.failed.as_ref().is_some_and(|failed| failed.run.spec == spec) {
            return;
        }
        self.attempts += 1;
        let run = Run::new(Attempt(self.attempts), spec);
        effects.push(if run.spec.is_alone() && object.running.take().is_some() {
            Effect::Replace(run.attempt, run.spec.clone())
        } else {
            Effect::Start(run.attempt, run.spec.clone())
        });
        (object.failed, object.starting) = (None, Some(run));
        effects.extend(object.running.is_none().then(|| object.report()).flatten());
    }
}

fn is_attempt(run: Option<&Run>, attempt: Attempt) -> bool {
    run.is_some_and(|run| run.attempt == attempt)
}

fn refusal(id: &ObjectId, offered: u64, newest: u64) -> Effect {
    Effect::Refuse(id.clone(), format!("order of generation {offered} refused: {newest} is known"))
}

/// 0.5 s, 1 s, 2 s, ... up to [`RETRY_MAX`].
fn pause(failures_in_a_row: u32) -> Duration {
    let doublings = failures_in_a_row.saturating_sub(1).min(10);
    (RETRY_FIRST * 2_u32.pow(doublings)).min(RETRY_MAX)
}

#[cfg(test)]
mod tests;
