//! Back to an earlier deployment: what its records said then is desired again.

use wicker_lattice::store::record::{Application, Restored};

use super::AnyRecord;
use crate::validate::{Desired, DesiredLink};

/// What to want, so that an application is again what `then` says its records said. Placements are not part of it.
#[must_use]
pub fn restore(application: &Application, then: Vec<AnyRecord>, reason: String) -> Desired {
    let restored = Restored { generation: application.generation, reason };
    let mut desired = Desired {
        team: application.team.clone(),
        application: application.name.clone(),
        version: application.version.clone(),
        manifest: application.manifest.clone(),
        components: Vec::new(),
        providers: Vec::new(),
        links: Vec::new(),
        routes: Vec::new(),
        exports: Vec::new(),
        schedules: Vec::new(),
        shared: Vec::new(),
        at: None,
        restores: Some(restored),
    };
    for record in then {
        match record {
            AnyRecord::Component(component) => desired.components.push(component),
            AnyRecord::Provider(provider) => desired.providers.push(provider),
            AnyRecord::Link(link) => {
                desired.links.push(DesiredLink { link, is_default: false });
            }
            AnyRecord::Route(route) => desired.routes.push(route),
            AnyRecord::Export(export) => desired.exports.push(export),
            AnyRecord::Schedule(schedule) => desired.schedules.push(schedule),
            AnyRecord::Application(_) | AnyRecord::Placement(_) => {}
        }
    }
    desired
}
