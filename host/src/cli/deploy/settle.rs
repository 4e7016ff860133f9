//! How a deployment ends: hosts have changed to it, or it failed and what was before is back. As the reconciler says.

use std::fmt;

use anyhow::bail;
use wicker_lattice::store::record::{Application, Progress, ProgressState};
use wicker_lattice::store::{Change, key};

use crate::cli::out;
use crate::cli::session::Session;

/// One deployment of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Deployment {
    /// Whose it is.
    pub(in crate::cli) team: String,
    /// Its name.
    pub(in crate::cli) name: String,
    /// Which deployment.
    pub(in crate::cli) generation: u64,
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.team, self.name)
    }
}

/// How a deployment that did not fail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Settled {
    /// Everything runs as it says.
    Ready,
    /// On fewer hosts than it says, and why. It may stay so for as long as no host comes.
    Short(String),
}

/// What was seen of a deployment. Pure.
#[derive(Debug)]
struct Course {
    deployment: Deployment,
    application: Option<Application>,
    progress: Option<Progress>,
    /// Why it went back, once it does.
    went_back: Option<String>,
}

/// What follows from that.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    /// Wait, and tell people.
    Tell(String),
    End(Settled),
    Fail(String),
}

impl Course {
    fn new(deployment: Deployment) -> Self {
        Self { deployment, application: None, progress: None, went_back: None }
    }

    fn next(&mut self) -> Next {
        let wanted = self.deployment.generation;
        if let Some(application) = &self.application
            && application.generation > wanted
        {
            let Some(restored) = &application.restores else {
                let (name, now) = (&self.deployment, application.generation);
                return Next::Fail(format!("generation {now} of {name} was deployed meanwhile"));
            };
            let (to, why) = (restored.generation, &restored.reason);
            self.went_back = Some(format!("{why}; it is generation {to} again"));
            self.deployment.generation = application.generation;
        }
        let wanted = self.deployment.generation;
        let Some(progress) = self.progress.as_ref().filter(|told| told.generation == wanted) else {
            return Next::Wait;
        };
        let reason = progress.reason.clone().unwrap_or_default();
        match (progress.state, &self.went_back) {
            (ProgressState::Rolling, _) if self.is_paused() => {
                let name = &self.deployment;
                Next::Fail(format!("{name} is paused: `wicker resume {name}` lets it go on"))
            }
            (ProgressState::Rolling, _) => Next::Wait,
            (ProgressState::Ready, None) => Next::End(Settled::Ready),
            (ProgressState::Short, None) => Next::End(Settled::Short(reason)),
            (ProgressState::Ready, Some(why)) => {
                Next::Fail(format!("{why}, and ready (as generation {wanted})"))
            }
            (ProgressState::Short, Some(why)) => {
                Next::Fail(format!("{why} (as generation {wanted}): {reason}"))
            }
            (ProgressState::Failed, Some(why)) => {
                Next::Fail(format!("{why} (as generation {wanted}), and failed too: {reason}"))
            }
            (ProgressState::Failed, None) => match progress.goes_back_to {
                Some(to) => Next::Tell(format!(
                    "  generation {wanted} failed: {reason}; going back to generation {to}"
                )),
                None => Next::Fail(format!("generation {wanted} failed: {reason}")),
            },
        }
    }

    fn is_paused(&self) -> bool {
        self.application.as_ref().is_some_and(|application| application.is_paused)
    }
}

/// Waits until a deployment has ended one way or the other. Without hosts it never does: the caller has a deadline.
///
/// # Errors
/// It failed, and what was before is back where there was something; or somebody deployed something else, removed or paused
/// the application.
pub(in crate::cli) async fn settled(
    session: &Session,
    deployment: Deployment,
) -> anyhow::Result<Settled> {
    let Deployment { team, name, .. } = &deployment;
    let mut applications = session.store.watch::<Application>(&key::application(team, name));
    let mut told = session.store.watch::<Progress>(&key::progress(team, name));
    let mut course = Course::new(deployment);
    loop {
        tokio::select! {
            // Cancel-safe, both.
            change = applications.next() => match change {
                Change::Put(entry) => course.application = Some(entry.record),
                Change::Deleted { .. } => bail!("{} was undeployed meanwhile", course.deployment),
                Change::Current => {}
            },
            change = told.next() => if let Change::Put(entry) = change {
                course.progress = Some(entry.record);
            },
        }
        match course.next() {
            Next::Wait => {}
            Next::Tell(message) => out::note(&message),
            Next::End(settled) => return Ok(settled),
            Next::Fail(message) => bail!(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use wicker_lattice::store::record::Restored;

    use super::*;

    fn application(generation: u64, restores: Option<u64>) -> Application {
        let restored =
            |generation| Restored { generation, reason: "generation 2 failed".to_owned() };
        Application {
            team: "default".to_owned(),
            name: "shop".to_owned(),
            version: None,
            generation,
            manifest: String::new(),
            keys: Vec::new(),
            objects: Default::default(),
            at: None,
            restores: restores.map(restored),
            is_paused: false,
        }
    }

    fn progress(generation: u64, state: ProgressState, goes_back_to: Option<u64>) -> Progress {
        Progress {
            team: "default".to_owned(),
            name: "shop".to_owned(),
            generation,
            state,
            reason: (state != ProgressState::Ready).then(|| "because".to_owned()),
            ready: Some(1),
            goes_back_to,
            since: String::new(),
        }
    }

    fn course() -> Course {
        let (team, name) = ("default".to_owned(), "shop".to_owned());
        let mut course = Course::new(Deployment { team, name, generation: 2 });
        course.application = Some(application(2, None));
        course
    }

    #[test]
    fn what_an_earlier_deployment_was_counts_for_nothing() {
        let mut course = course();
        course.progress = Some(progress(1, ProgressState::Ready, None));
        assert_eq!(course.next(), Next::Wait);
        course.progress = Some(progress(2, ProgressState::Rolling, None));
        assert_eq!(course.next(), Next::Wait);
        course.progress = Some(progress(2, ProgressState::Ready, None));
        assert_eq!(course.next(), Next::End(Settled::Ready));
    }

    #[test]
    fn too_few_hosts_end_the_wait() {
        let mut course = course();
        course.progress = Some(progress(2, ProgressState::Short, None));
        assert_eq!(course.next(), Next::End(Settled::Short("because".to_owned())));
    }

    #[test]
    fn failure_is_told_and_ends_once_the_earlier_deployment_is_back() {
        let mut course = course();
        course.progress = Some(progress(2, ProgressState::Failed, Some(1)));
        let told = "  generation 2 failed: because; going back to generation 1".to_owned();
        assert_eq!(course.next(), Next::Tell(told));
        course.application = Some(application(3, Some(1)));
        assert_eq!(course.next(), Next::Wait);
        course.progress = Some(progress(3, ProgressState::Ready, None));
        let end = "generation 2 failed; it is generation 1 again, and ready (as generation 3)";
        assert_eq!(course.next(), Next::Fail(end.to_owned()));
    }

    #[test]
    fn failure_without_a_way_back_ends_the_wait() {
        let mut course = course();
        course.progress = Some(progress(2, ProgressState::Failed, None));
        assert_eq!(course.next(), Next::Fail("generation 2 failed: because".to_owned()));
    }

    #[test]
    fn paused_application_and_another_deployment_end_the_wait() {
        let mut course = course();
        course.application = Some(Application { is_paused: true, ..application(2, None) });
        course.progress = Some(progress(2, ProgressState::Rolling, None));
        let paused = "default/shop is paused: `wicker resume default/shop` lets it go on";
        assert_eq!(course.next(), Next::Fail(paused.to_owned()));
        course.application = Some(application(3, None));
        let other = "generation 3 of default/shop was deployed meanwhile";
        assert_eq!(course.next(), Next::Fail(other.to_owned()));
    }
}
