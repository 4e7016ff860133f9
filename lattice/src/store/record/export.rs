//! What applications offer to other teams.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Scope;
use crate::id::ObjectId;
use crate::interface::InterfaceKey;

/// Key `export.<id>`: interfaces of one component or provider, under a name that other teams may link to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// `team/application/export`. May equal the id of its target.
    pub id: ObjectId,
    /// Who serves it: of the same application.
    pub target: ObjectId,
    /// What is offered of it. HTTP is [`crate::http::INTERFACE`], whatever the target was built for.
    pub interfaces: Vec<Scope>,
    /// The teams that may link to it, and on which terms.
    pub to: BTreeMap<String, Terms>,
}

/// On which terms a team uses an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// How much of it.
    pub quota: Quota,
    /// Link config that the exporting team sets: it wins over what a link says.
    pub config: BTreeMap<String, String>,
}

/// How much one team may use of one export, on each host that runs the target. `None`: no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quota {
    /// Calls let in each second; as many may come at once.
    pub calls_per_second: Option<u32>,
    /// Calls at once, streams that still flow included.
    pub concurrency: Option<u32>,
    /// Arguments, results and streams, bytes each second. A call that begins within it is never cut off; the next ones wait
    /// until it is paid.
    pub bytes_per_second: Option<u64>,
}

impl Export {
    /// Whether `interface` is offered.
    #[must_use]
    pub fn offers(&self, interface: &InterfaceKey) -> bool {
        self.interfaces.iter().any(|scope| match scope {
            Scope::Interface(offered) => offered == interface,
            Scope::Package(package) => interface.package() == *package,
        })
    }
}

impl Quota {
    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }
}
