//! The keys of the store, and which bucket each lives in. Every name in a key is one token: ids as
//! [`ObjectId::to_token`], WIT names and HTTP routes through [`escape`].

use crate::escape;
use crate::id::{ObjectId, ProcessId};
use crate::secret::SecretId;
#[cfg(feature = "nats")]
use crate::store::record::Approvals;
use crate::store::record::{
    Application, Authority, Claim, Component, Export, Host, Lattice, Leader, Link, Machine,
    Placement, Progress, Provider, ProviderProcess, Route, Running, Schedule, Scope, SealedSecret,
    SecretNames, SecretsKey, Servers, Team, Ticks, Token, Types,
};

/// The two key-value buckets of a lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// What should be: written by the command line and the reconciler, with history.
    Spec,
    /// What is: each key written only by the process it names (a claim by who takes it over); the leader removes those of the dead.
    Status,
}

/// A value of the store: it knows its own key.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// Where values of this type live.
    const BUCKET: Bucket;
    /// The first token of their keys.
    const KIND: &'static str;

    /// The key of this value.
    fn key(&self) -> String;

    /// A filter that matches every value of this type.
    #[must_use]
    fn all() -> String {
        format!("{}.>", Self::KIND)
    }
}

/// The key of the lattice record itself.
pub const LATTICE: &str = "lattice";

/// The key of the record that names the machines whose NATS servers keep the lattice's state.
pub const SERVERS: &str = "servers";

/// The key of an application.
#[must_use]
pub fn application(team: &str, name: &str) -> String {
    format!("application.{team}.{name}")
}

/// The key of a component's spec.
#[must_use]
pub fn component(id: &ObjectId) -> String {
    format!("component.{}", id.to_token())
}

/// The key of a provider's spec.
#[must_use]
pub fn provider(id: &ObjectId) -> String {
    format!("provider.{}", id.to_token())
}

/// The key of a link.
#[must_use]
pub fn link(source: &ObjectId, scope: &Scope, name: &str) -> String {
    format!("link.{}.{}.{}", source.to_token(), escape::print(scope.as_str()), escape::print(name))
}

/// A filter for the links of one source.
#[must_use]
pub fn links_of(source: &ObjectId) -> String {
    format!("link.{}.>", source.to_token())
}

/// The key of an export.
#[must_use]
pub fn export(id: &ObjectId) -> String {
    format!("export.{}", id.to_token())
}

/// The key of the record that names the lattice's authority.
pub const AUTHORITY: &str = "authority";

/// The key of a team.
#[must_use]
pub fn team(name: &str) -> String {
    format!("team.{name}")
}

/// The key of a token that was issued.
#[must_use]
pub fn token(id: &str) -> String {
    format!("token.{id}")
}

/// The key of a team's word for the record at `key`.
#[must_use]
pub fn approval(key: &str) -> String {
    format!("approval.{key}")
}

/// The key of the record that says for whom secrets are sealed.
pub const SECRETS: &str = "secrets";

/// The key of a sealed secret.
#[must_use]
pub fn secret(id: &SecretId) -> String {
    format!("secret.{}.{}", id.team(), escape::print(id.name()))
}

/// The key of what secrets a host has of its own.
#[must_use]
pub fn secret_names(process: ProcessId) -> String {
    format!("secret-names.{process}")
}

/// The key of a route; `only_on` sets apart the routes that only one host's listener answers.
#[must_use]
pub fn route(host: Option<&str>, path: &str, only_on: Option<ProcessId>) -> String {
    let listener = only_on.map_or_else(|| "_any".to_owned(), |process| process.to_string());
    let host = host.map_or_else(|| "_any".to_owned(), escape::print);
    format!("route.{listener}.{host}.{}", escape::print(path))
}

/// The key of a schedule.
#[must_use]
pub fn schedule(id: &ObjectId) -> String {
    format!("schedule.{}", id.to_token())
}

/// The key of how far a schedule is.
#[must_use]
pub fn ticks(schedule: &ObjectId) -> String {
    format!("ticks.{}", schedule.to_token())
}

/// The key of one object's placement on one host.
#[must_use]
pub fn placement(process: ProcessId, object: &ObjectId) -> String {
    format!("placement.{process}.{}", object.to_token())
}

/// A filter for the placements on one host.
#[must_use]
pub fn placements_on(process: ProcessId) -> String {
    format!("placement.{process}.>")
}

/// The key of the types of one component or provider implementation.
#[must_use]
pub fn types(digest: &str) -> String {
    format!("types.{}", escape::print(digest))
}

/// The key of a host's lease.
#[must_use]
pub fn host(process: ProcessId) -> String {
    format!("host.{process}")
}

/// The key of the lease of a provider in a process of its own.
#[must_use]
pub fn provider_process(process: ProcessId) -> String {
    format!("process.{process}")
}

/// The key of a machine that others can reach.
#[must_use]
pub fn machine(process: ProcessId) -> String {
    format!("machine.{process}")
}

/// The key of the record that names the host whose reconciler acts.
pub const LEADER: &str = "leader";

/// The key of an application's progress.
#[must_use]
pub fn progress(team: &str, name: &str) -> String {
    format!("progress.{team}.{name}")
}

/// The key of one object's status in one process.
#[must_use]
pub fn running(object: &ObjectId, process: ProcessId) -> String {
    format!("running.{}.{process}", object.to_token())
}

/// A filter for one object's status in every process.
#[must_use]
pub fn running_everywhere(object: &ObjectId) -> String {
    format!("running.{}.>", object.to_token())
}

/// The key of the claim to a singleton.
#[must_use]
pub fn claim(object: &ObjectId) -> String {
    format!("claim.{}", object.to_token())
}

macro_rules! record {
    ($type:ty, $bucket:ident, $kind:literal, |$value:ident| $key:expr) => {
        impl Record for $type {
            const BUCKET: Bucket = Bucket::$bucket;
            const KIND: &'static str = $kind;

            fn key(&self) -> String {
                let $value = self;
                $key
            }
        }
    };
}

record!(Lattice, Spec, "lattice", |_value| LATTICE.to_owned());
record!(Servers, Spec, "servers", |_value| SERVERS.to_owned());
record!(Application, Spec, "application", |value| application(&value.team, &value.name));
record!(Component, Spec, "component", |value| component(&value.id));
record!(Provider, Spec, "provider", |value| provider(&value.id));
record!(Link, Spec, "link", |value| link(&value.source, &value.scope, &value.name));
record!(Token, Spec, "token", |value| token(&value.id));
record!(Authority, Spec, "authority", |_value| AUTHORITY.to_owned());
record!(Team, Spec, "team", |value| team(&value.name));
#[cfg(feature = "nats")]
record!(Approvals, Spec, "approval", |value| approval(&value.of));
record!(Export, Spec, "export", |value| export(&value.id));
record!(Route, Spec, "route", |value| route(value.host.as_deref(), &value.path, value.only_on));
record!(Schedule, Spec, "schedule", |value| schedule(&value.id));
record!(Types, Spec, "types", |value| types(&value.digest));
record!(SecretsKey, Spec, "secrets", |_value| SECRETS.to_owned());
record!(SealedSecret, Spec, "secret", |value| secret(&value.id));
record!(SecretNames, Status, "secret-names", |value| secret_names(value.process));
record!(Host, Status, "host", |value| host(value.process));
record!(ProviderProcess, Status, "process", |value| provider_process(value.process));
record!(Machine, Status, "machine", |value| machine(value.process));
record!(Leader, Status, "leader", |_value| LEADER.to_owned());
record!(Progress, Status, "progress", |value| progress(&value.team, &value.name));
record!(Ticks, Status, "ticks", |value| ticks(&value.schedule));
record!(Claim, Status, "claim", |value| claim(&value.object));
record!(Running, Status, "running", |value| running(&value.object, value.process));
record!(Placement, Spec, "placement", |value| placement(value.host, &value.object));
