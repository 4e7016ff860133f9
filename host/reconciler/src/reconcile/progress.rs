//! How far the latest deployment of an application is, and when it goes back.

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Application, Progress, ProgressState};

use super::object::Object;
use super::{Action, Objects};
use crate::placement::Hosts;

/// One application.
#[derive(Debug, Default)]
pub(super) struct Deployed {
    pub(super) record: Option<Application>,
    /// What was last written about it.
    pub(super) told: Option<Progress>,
    halfway: Halfway,
}

/// An application that goes back has its record written first. Whoever writes may die before the rest: then somebody else
/// goes on, but not before it had time to do so itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Halfway {
    /// It was not, when everything was looked at last.
    #[default]
    No,
    /// It was, for the first time.
    Seen,
    /// It was before, too.
    Stuck,
}

/// The worst that any object of a deployment says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Failed(ObjectId, String),
    Rolling(String),
    Short(String),
    Ready,
}

impl Deployed {
    /// The components and providers of the latest deployment.
    pub(super) fn objects(&self) -> Vec<ObjectId> {
        let objects = self.record.iter().flat_map(|application| application.objects.keys());
        objects.cloned().collect()
    }

    /// What to say of it, and whether to go back.
    pub(super) fn act(&self, objects: &Objects, hosts: &Hosts) -> Vec<Action> {
        let Some(application) = &self.record else { return Vec::new() };
        let finding = self.find(objects, hosts);
        let ready = match finding {
            Finding::Ready | Finding::Short(_) => Some(application.generation),
            Finding::Failed(..) | Finding::Rolling(_) => {
                self.told.as_ref().and_then(|told| told.ready)
            }
        };
        let (state, reason) = match &finding {
            Finding::Ready => (ProgressState::Ready, None),
            Finding::Short(why) => (ProgressState::Short, Some(why.clone())),
            Finding::Rolling(why) if application.is_paused => {
                (ProgressState::Rolling, Some(format!("it is paused; {why}")))
            }
            Finding::Rolling(why) => (ProgressState::Rolling, Some(why.clone())),
            Finding::Failed(id, why) => (ProgressState::Failed, Some(format!("{id} {why}"))),
        };
        let back = self.go_back(application, &finding, objects);
        let back = back.or_else(|| self.go_on(application, objects));
        let progress = Progress {
            team: application.team.clone(),
            name: application.name.clone(),
            generation: application.generation,
            state,
            reason,
            ready,
            goes_back_to: match &back {
                Some(Action::GoBack { to, .. }) => Some(*to),
                _ => None,
            },
            since: String::new(),
        };
        let mut actions = Vec::new();
        if !self.told.as_ref().is_some_and(|told| is_same(told, &progress)) {
            actions.push(Action::Tell(progress));
        }
        actions.extend(back);
        actions
    }

    /// Goes back when a deployment fails, unless it is itself one that went back: then people must look.
    fn go_back(
        &self,
        application: &Application,
        finding: &Finding,
        objects: &Objects,
    ) -> Option<Action> {
        let Finding::Failed(id, why) = finding else { return None };
        let to = self.told.as_ref()?.ready?;
        let spec = objects.all.get(id)?.spec.as_ref()?;
        let goes = to < application.generation
            && spec.rolls_back()
            && application.restores.is_none()
            && !application.is_paused;
        goes.then(|| Action::GoBack {
            team: application.team.clone(),
            name: application.name.clone(),
            from: application.generation,
            to,
            reason: format!("generation {} failed: {id} {why}", application.generation),
        })
    }

    /// Looks whether it is half-way back: everything is looked at now and then.
    pub(super) fn look_again(&mut self, objects: &Objects) {
        self.halfway = match (self.is_halfway(objects), self.halfway) {
            (false, _) => Halfway::No,
            (true, Halfway::No) => Halfway::Seen,
            (true, Halfway::Seen | Halfway::Stuck) => Halfway::Stuck,
        };
    }

    /// Finishes what somebody else began to take back and did not.
    fn go_on(&self, application: &Application, objects: &Objects) -> Option<Action> {
        let restored = application.restores.as_ref()?;
        let is_ours = self.halfway == Halfway::Stuck && self.is_halfway(objects);
        is_ours.then(|| Action::GoBack {
            team: application.team.clone(),
            name: application.name.clone(),
            from: application.generation,
            to: restored.generation,
            reason: restored.reason.clone(),
        })
    }

    fn is_halfway(&self, objects: &Objects) -> bool {
        let goes_back = |it: &&Application| it.restores.is_some() && !it.is_paused;
        let wanted = self.record.iter().filter(goes_back).flat_map(|it| &it.objects);
        let is_written = |id, generation| {
            let object: Option<&Object> = objects.all.get(id);
            object.is_some_and(|object| object.is_specified(generation))
        };
        wanted.into_iter().any(|(id, generation)| !is_written(id, *generation))
    }

    fn find(&self, objects: &Objects, hosts: &Hosts) -> Finding {
        let mut worst = Finding::Ready;
        let wanted = self.record.iter().flat_map(|application| &application.objects);
        for (id, generation) in wanted {
            let object = objects.all.get(id).filter(|object| object.is_specified(*generation));
            let finding = match object {
                Some(object) => look(id, object, hosts, objects),
                None => Finding::Rolling(format!("{id} is not written yet")),
            };
            if severity(&finding) > severity(&worst) {
                worst = finding;
            }
        }
        worst
    }
}

fn look(id: &ObjectId, object: &Object, hosts: &Hosts, neighbours: &Objects) -> Finding {
    let Some(spec) = &object.spec else { return Finding::Ready };
    if !spec.is_placed_here() {
        return Finding::Ready;
    }
    let newest = spec.generation();
    let placed = object.hosts();
    for host in &placed {
        if let Some(why) = object.failure(*host, newest) {
            let name =
                hosts.get(*host).map_or_else(|| host.to_string(), |view| view.host.name.clone());
            return Finding::Failed(id.clone(), format!("on {name}: {why}"));
        }
    }
    let living: Vec<_> = placed.iter().filter(|host| hosts.get(**host).is_some()).collect();
    let settled = living.iter().filter(|host| object.is_settled(***host, newest)).count();
    if settled < living.len() {
        let placed = living.len();
        return Finding::Rolling(format!("{id}: {settled} of {placed} hosts run this version"));
    }
    let choice = object.choose(id, hosts, neighbours);
    let chosen = choice.hosts.len();
    let moved = choice.hosts.iter().filter(|host| placed.contains(host)).count();
    if moved < chosen {
        return Finding::Rolling(format!("{id} is placed on {moved} of {chosen} hosts"));
    }
    match choice.shortage {
        Some(why) => Finding::Short(why),
        None if living.is_empty() => Finding::Rolling(format!("{id} has no host yet")),
        None => Finding::Ready,
    }
}

fn severity(finding: &Finding) -> u8 {
    match finding {
        Finding::Ready => 0,
        Finding::Short(_) => 1,
        Finding::Rolling(_) => 2,
        Finding::Failed(..) => 3,
    }
}

fn is_same(told: &Progress, now: &Progress) -> bool {
    told.generation == now.generation
        && told.state == now.state
        && told.reason == now.reason
        && told.ready == now.ready
        && told.goes_back_to == now.goes_back_to
}
