//! Whether a component has what its host is to ask it.

use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::record::{Probe, Ready};
use wicker_lattice::types::{FunctionType, Type, World};

use super::Batch;
use crate::diagnostic::Problems;
use crate::known::is_http_export;
use crate::manifest::{self, Manifest};
use crate::pattern::InterfacePattern;

impl Batch<'_> {
    /// What the record says of how to find out whether the component is ready.
    pub(super) fn ready(
        &self,
        manifest: &Manifest,
        component: &manifest::Component,
        problems: &mut Problems,
    ) -> Option<Ready> {
        let manifest::Ready { probe, interval_ms, timeout_ms, failures } =
            component.ready.as_ref()?;
        let world = self.world(&manifest.id(&component.name.value)?)?;
        let found = match &probe.value {
            manifest::Probe::Path(path) => path_of(world, path),
            manifest::Probe::Function { interface, name } => function_of(world, interface, name),
        };
        match found {
            Ok(probe) => {
                let (interval_ms, timeout_ms) = (*interval_ms, *timeout_ms);
                Some(Ready { probe, interval_ms, timeout_ms, failures: *failures })
            }
            Err((fault, help)) => {
                let message = format!("cannot ask `{}`: it {fault}", component.name.value);
                problems.error(&manifest.source, probe.span, message, help);
                None
            }
        }
    }
}

/// What keeps a component from being asked, and what would help.
type Fault = (String, String);

fn path_of(world: &World, path: &str) -> Result<Probe, Fault> {
    if world.exports.keys().any(is_http_export) {
        return Ok(Probe::Path(path.to_owned()));
    }
    let help = "ask for a function: `ready: {function: INTERFACE.FUNCTION}`";
    Err(("does not export wasi:http".to_owned(), help.to_owned()))
}

fn function_of(world: &World, pattern: &InterfacePattern, name: &str) -> Result<Probe, Fault> {
    let found: Vec<(&InterfaceName, &FunctionType)> = world
        .exports
        .iter()
        .filter(|(interface, _)| pattern.matches(interface))
        .filter_map(|(interface, functions)| Some((interface, functions.get(name)?)))
        .collect();
    match found.as_slice() {
        [(interface, ty)] if ty.params.is_empty() && is_verdict(ty.result.as_ref()) => {
            Ok(Probe::Function { interface: interface.key(), name: name.to_owned() })
        }
        [(_, ty)] => {
            let help = "it takes nothing, and returns nothing, a bool or a result";
            Err((format!("exports {name}: {ty:#}"), help.to_owned()))
        }
        [] => {
            let askable = |(interface, functions): (&InterfaceName, &_)| {
                let functions: &wicker_lattice::types::Functions = functions;
                let each = functions.iter().filter(|(_, ty)| ty.params.is_empty());
                each.map(|(name, _)| format!("{interface}.{name}")).collect::<Vec<_>>()
            };
            let askable: Vec<String> = world.exports.iter().flat_map(askable).collect();
            let help = match askable.as_slice() {
                [] => "it exports no function that takes nothing".to_owned(),
                askable => format!("it exports {}", askable.join(", ")),
            };
            Err((format!("exports no {pattern}.{name}"), help))
        }
        several => {
            let names: Vec<String> =
                several.iter().map(|(interface, _)| format!("{interface}.{name}")).collect();
            Err((format!("exports several {name}"), names.join(", ")))
        }
    }
}

/// Whether results of this type say whether something is well.
fn is_verdict(ty: Option<&Type>) -> bool {
    matches!(ty, None | Some(Type::Bool | Type::Result { .. }))
}
