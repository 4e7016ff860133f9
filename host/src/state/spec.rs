//! What should run, and when two of it are the same to what runs.

use std::sync::Arc;

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Component, ObjectKind, Provider, ProviderSource, Sharing};

/// What should run.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A component.
    Component(Arc<Component>),
    /// A provider.
    Provider(Arc<Provider>),
}

impl Spec {
    /// Whose spec it is.
    #[must_use]
    pub fn id(&self) -> &ObjectId {
        match self {
            Self::Component(component) => &component.id,
            Self::Provider(provider) => &provider.id,
        }
    }

    /// The generation of the order.
    #[must_use]
    pub fn generation(&self) -> u64 {
        match self {
            Self::Component(component) => component.generation,
            Self::Provider(provider) => provider.generation,
        }
    }

    /// What kind of object it is of.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Component(_) => ObjectKind::Component,
            Self::Provider(_) => ObjectKind::Provider,
        }
    }

    /// Whether it runs on one host at most, by a claim.
    #[must_use]
    pub fn is_singleton(&self) -> bool {
        match self {
            Self::Component(component) => component.is_singleton,
            Self::Provider(provider) => provider.is_singleton,
        }
    }

    /// Whether two of it cannot run at once on one host: it is a singleton, or they would share files, or the id of a process.
    pub(super) fn is_alone(&self) -> bool {
        match self {
            Self::Component(component) => component.is_singleton,
            Self::Provider(provider) => {
                provider.is_singleton
                    || provider.sharing == Sharing::Exclusive
                    || !matches!(provider.source, ProviderSource::Builtin(_))
            }
        }
    }

    /// Bad answers in a row to the question whether it is ready that are too many.
    pub(super) fn probe_failures(&self) -> u32 {
        match self {
            Self::Component(component) => {
                component.ready.as_ref().map_or(u32::MAX, |ready| ready.failures)
            }
            Self::Provider(_) => u32::MAX,
        }
    }

    /// Whether what runs by `self` need not be started anew to run by `other`: who orders it and how many there are
    /// elsewhere makes no difference to a running instance.
    pub(super) fn runs_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Component(a), Self::Component(b)) => {
                let like_b = Component {
                    generation: b.generation,
                    spread: b.spread.clone(),
                    rollout: b.rollout.clone(),
                    is_bare: b.is_bare,
                    ..(**a).clone()
                };
                like_b == **b
            }
            (Self::Provider(a), Self::Provider(b)) => {
                // A claim by the process that runs it changes nothing for it; one by another is checked at the start.
                let like_b = Provider {
                    generation: b.generation,
                    spread: b.spread.clone(),
                    rollout: b.rollout.clone(),
                    owner: b.owner,
                    ..(**a).clone()
                };
                like_b == **b
            }
            _ => false,
        }
    }
}
