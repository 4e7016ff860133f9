//! Decides what Rust each WIT interface becomes, and refuses what a link cannot carry.

#![expect(clippy::indexing_slicing, reason = "the ids of a `Resolve` are valid in it")]

use std::collections::BTreeSet;

use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{FunctionType, from_wit};
use wit_parser::{Function, InterfaceId, Resolve, TypeDefKind, TypeId};

use crate::load::Loaded;
use crate::names;
use crate::shape::{Planning, Refusal, Resource, Scout, Shape};

/// One interface as a Rust module.
pub(crate) struct Module {
    pub(crate) id: InterfaceId,
    pub(crate) name: InterfaceName,
    pub(crate) docs: Option<String>,
    pub(crate) types: Vec<TypeId>,
    /// Resources that it defines.
    pub(crate) resources: Vec<Resource>,
    /// Other interfaces whose resources it uses.
    pub(crate) supers: BTreeSet<Resource>,
    pub(crate) functions: Vec<Planned>,
}

/// One function.
pub(crate) struct Planned {
    pub(crate) abi_name: String,
    pub(crate) docs: Option<String>,
    pub(crate) params: Vec<(String, Shape)>,
    pub(crate) result: Option<Shape>,
    pub(crate) ty: FunctionType,
}

/// Plans every interface of `loaded`.
pub(crate) fn plan(loaded: &Loaded) -> Planning<Vec<Module>> {
    let modules: Vec<Module> =
        loaded.interfaces.iter().map(|id| module(&loaded.resolve, *id)).collect::<Planning<_>>()?;
    for (at, module) in modules.iter().enumerate() {
        let name = &module.name.interface;
        if let Some(other) = modules.iter().take(at).find(|other| other.name.interface == *name) {
            return Err(Refusal {
                place: module.name.to_string(),
                why: format!(
                    "{} would be a module of the same name: put them into two `bindgen!`s",
                    other.name
                ),
            });
        }
    }
    Ok(modules)
}

fn module(resolve: &Resolve, id: InterfaceId) -> Planning<Module> {
    let interface = &resolve.interfaces[id];
    let name = from_wit::name(resolve, id)
        .map_err(|error| Refusal { place: "interface".to_owned(), why: error.to_string() })?;
    let mut resources = Vec::new();
    let mut types = Vec::new();
    for (ty_name, ty) in &interface.types {
        let scout = Scout { resolve, place: format!("type `{ty_name}` of {name}") };
        if matches!(resolve.types[*ty].kind, TypeDefKind::Resource) {
            resources.push(Resource { interface: name.interface.clone(), name: ty_name.clone() });
        } else if scout.resource(*ty).is_none() {
            scout.definition(*ty)?;
            types.push(*ty);
        }
    }
    let functions: Vec<Planned> = interface
        .functions
        .values()
        .map(|function| planned(resolve, &name, function))
        .collect::<Planning<_>>()?;
    let supers = used_elsewhere(resolve, &name, interface.types.values());
    check_names(resolve, &name, &types, &functions)?;
    Ok(Module {
        id,
        name,
        docs: interface.docs.contents.clone(),
        types,
        resources,
        supers,
        functions,
    })
}

/// Refuses names that WIT tells apart and Rust does not.
fn check_names(
    resolve: &Resolve,
    interface: &InterfaceName,
    types: &[TypeId],
    functions: &[Planned],
) -> Planning<()> {
    let contract = names::upper(&interface.interface);
    let mut taken = vec![(contract, "its trait"), (names::upper("client"), "its client")];
    for ty in types {
        let name = resolve.types[*ty].name.as_deref().unwrap_or_default();
        let ident = names::upper(name);
        if let Some((_, by)) = taken.iter().find(|(other, _)| *other == ident) {
            let place = format!("type `{name}` of {interface}");
            return Err(Refusal { place, why: format!("would be called `{ident}`, like {by}") });
        }
        taken.push((ident, "another type"));
    }
    let mut taken = Vec::new();
    for Planned { abi_name, .. } in functions {
        let ident = names::function(abi_name);
        if taken.contains(&ident) {
            let place = format!("function `{abi_name}` of {interface}");
            return Err(Refusal {
                place,
                why: format!("another one would be called `{ident}` too"),
            });
        }
        taken.push(ident);
    }
    Ok(())
}

/// The resources that an interface takes from others.
fn used_elsewhere<'a>(
    resolve: &Resolve,
    name: &InterfaceName,
    types: impl Iterator<Item = &'a TypeId>,
) -> BTreeSet<Resource> {
    let scout = Scout { resolve, place: String::new() };
    types
        .filter_map(|ty| scout.resource(*ty))
        .filter(|used| used.interface != name.interface)
        .collect()
}

fn planned(resolve: &Resolve, interface: &InterfaceName, function: &Function) -> Planning<Planned> {
    let scout = Scout { resolve, place: format!("function `{}` of {interface}", function.name) };
    let params = function.params.iter();
    let params = params.map(|param| Ok((param.name.clone(), scout.param(&param.ty)?)));
    let ty = from_wit::function(resolve, function).map_err(|error| scout.refuse(error))?;
    Ok(Planned {
        abi_name: function.name.clone(),
        docs: function.docs.contents.clone(),
        params: params.collect::<Planning<_>>()?,
        result: function.result.as_ref().map(|ty| scout.shape(ty)).transpose()?,
        ty,
    })
}
