//! Any record of the spec bucket, so that a plan is one list.

use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{
    Application, Component, Export, Link, Placement, Provider, Route, Schedule,
};

/// A record of any kind that a plan writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each case is the record of its name")]
pub enum AnyRecord {
    Application(Application),
    Component(Component),
    Provider(Provider),
    Export(Export),
    Link(Link),
    Route(Route),
    Schedule(Schedule),
    Placement(Placement),
}

impl AnyRecord {
    /// Its key in the spec bucket.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Application(record) => record.key(),
            Self::Component(record) => record.key(),
            Self::Provider(record) => record.key(),
            Self::Export(record) => record.key(),
            Self::Link(record) => record.key(),
            Self::Route(record) => record.key(),
            Self::Schedule(record) => record.key(),
            Self::Placement(record) => record.key(),
        }
    }

    /// The component or provider whose record this is.
    #[must_use]
    pub fn object(&self) -> Option<&ObjectId> {
        match self {
            Self::Component(record) => Some(&record.id),
            Self::Provider(record) => Some(&record.id),
            Self::Application(_)
            | Self::Export(_)
            | Self::Link(_)
            | Self::Route(_)
            | Self::Schedule(_)
            | Self::Placement(_) => None,
        }
    }

    /// When it is written: routes early, because a claim is what fails; links and schedules after what they lead to.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Application(_) => 0,
            Self::Route(_) => 1,
            Self::Provider(_) => 2,
            Self::Component(_) => 3,
            Self::Export(_) => 4,
            Self::Link(_) => 5,
            Self::Schedule(_) => 6,
            Self::Placement(_) => 7,
        }
    }
}

macro_rules! from {
    ($($kind:ident)*) => {$(
        impl From<$kind> for AnyRecord {
            fn from(record: $kind) -> Self {
                Self::$kind(record)
            }
        }
    )*};
}

from!(Application Component Provider Export Link Route Schedule Placement);
