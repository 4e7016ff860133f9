//! Why a decision is as it is: asked of the code that decides.

use std::fmt;

use wicker_lattice::id::ProcessId;

use super::score::Picked;
use super::{Choice, Neighbours, Objection, Question};

/// A decision, and what it says of each live host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub choice: Choice,
    /// By name and id.
    pub hosts: Vec<HostReason>,
}

/// Why something runs on a host, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReason {
    /// The host's id.
    pub host: ProcessId,
    /// Its name.
    pub name: String,
    /// Whether it is one of those that should run it.
    pub is_chosen: bool,
    /// Why, for people.
    pub reason: String,
}

impl<N: Neighbours> Question<'_, N> {
    /// As [`Question::spread`], with its reasons.
    #[must_use]
    pub fn explain_spread(&self) -> Explanation {
        self.explain(self.spread(), self.spread.replicas)
    }

    /// As [`Question::exclusive`], with its reasons.
    #[must_use]
    pub fn explain_exclusive(&self, owner: Option<ProcessId>) -> Explanation {
        let mut explanation = self.explain(self.exclusive(owner), Some(1));
        let Some(owner) = owner else { return explanation };
        for reason in &mut explanation.hosts {
            reason.is_chosen = reason.host == owner;
            let data = if reason.is_chosen { "its data is there" } else { "its data is elsewhere" };
            data.clone_into(&mut reason.reason);
        }
        explanation
    }

    fn explain(&self, choice: Choice, replicas: Option<u32>) -> Explanation {
        let wanted = replicas.map(|replicas| usize::try_from(replicas).unwrap_or(usize::MAX));
        let picked = match wanted {
            Some(wanted) => self.pick(self.eligible(), wanted),
            None => Picked::default(),
        };
        let mut hosts: Vec<HostReason> = self
            .hosts
            .alive()
            .map(|view| {
                let process = view.host.process;
                let objection = self.objection(&view.host);
                let reason = match objection {
                    Some(objection) => objection.to_string(),
                    None if wanted.is_none() => "it runs on every host that matches".to_owned(),
                    None => self.merit(process, &picked),
                };
                HostReason {
                    host: process,
                    name: view.host.name.clone(),
                    is_chosen: choice.hosts.contains(&process),
                    reason,
                }
            })
            .collect();
        hosts.sort_by(|a, b| (&a.name, a.host).cmp(&(&b.name, b.host)));
        Explanation { choice, hosts }
    }

    /// Why an eligible host was taken, or was not.
    fn merit(&self, process: ProcessId, picked: &Picked<'_>) -> String {
        let taken = picked.hosts.iter().find(|(host, _)| *host == process);
        if let Some((_, score)) = taken {
            if self.current.contains(&process) {
                return "it runs there already".to_owned();
            }
            let next = picked.left.iter().map(|(_, score)| score).min();
            return next.map_or_else(
                || "it is one of the hosts that match".to_owned(),
                |next| score.advantage(next),
            );
        }
        let left = picked.left.iter().find(|(view, _)| view.host.process == process);
        match (left, picked.hosts.last()) {
            (Some((_, score)), Some((last, taken))) => {
                let name = self.hosts.get(*last).map_or("another", |view| view.host.name.as_str());
                format!("not needed; of {name}: {}", taken.advantage(score))
            }
            _ => "not needed".to_owned(),
        }
    }
}

impl fmt::Display for Objection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining => f.write_str("it is draining"),
            Self::Label(key, value) => write!(f, "it does not carry {{{key}: {value}}}"),
            Self::Away(object) => write!(f, "{object} does not run there"),
            Self::There(object) => write!(f, "{object} runs there"),
        }
    }
}
