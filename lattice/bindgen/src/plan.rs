//! Decides what Rust each WIT interface becomes, and refuses what a link cannot carry.
//!
//! A resource has no Rust type of its own: it is whatever the provider says ([`Shape::Own`]). So a type that holds one
//! is generic over it, and is written as `CasError<Self::Cas>` in the trait and `CasError<Handle>` in the client.

#![expect(clippy::indexing_slicing, reason = "the ids of a `Resolve` are valid in it")]

use std::collections::BTreeSet;
use std::fmt;

use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{FunctionType, from_wit};
use wit_parser::{Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

use crate::load::Loaded;
use crate::names;

/// Elements of a tuple at most: what `Encode` is implemented for.
const TUPLE_MAX: usize = 8;

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

/// A resource: the interface that defines it, by its place in [`Resolve`] and its name, and its own name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) interface: String,
    pub(crate) name: String,
}

/// One function.
pub(crate) struct Planned {
    pub(crate) abi_name: String,
    pub(crate) docs: Option<String>,
    pub(crate) params: Vec<(String, Shape)>,
    pub(crate) result: Option<Shape>,
    pub(crate) ty: FunctionType,
}

/// What Rust type a WIT type becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A type that Rust has, by its path.
    Plain(&'static str),
    Bytes,
    List(Box<Shape>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Tuple(Vec<Shape>),
    /// A type with a name, in this module or re-exported into it, and the resources that it holds.
    Named(String, Vec<Resource>),
    Own(Resource),
    Borrow(Resource),
}

/// Why an interface has no Rust form.
#[derive(Debug)]
pub(crate) struct Refusal {
    place: String,
    why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

type Planning<T> = Result<T, Refusal>;

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

/// Finds out what types become, for one place in the WIT, which errors name.
pub(crate) struct Scout<'a> {
    pub(crate) resolve: &'a Resolve,
    pub(crate) place: String,
}

impl Scout<'_> {
    fn refuse(&self, why: impl fmt::Display) -> Refusal {
        Refusal { place: self.place.clone(), why: why.to_string() }
    }

    /// A parameter, where a handle may be borrowed.
    fn param(&self, ty: &Type) -> Planning<Shape> {
        if let Type::Id(id) = ty
            && let TypeDefKind::Handle(Handle::Borrow(resource)) =
                &self.resolve.types[self.target(*id)].kind
        {
            return self.known_resource(*resource).map(Shape::Borrow);
        }
        self.shape(ty)
    }

    pub(crate) fn shape(&self, ty: &Type) -> Planning<Shape> {
        Ok(match ty {
            Type::Bool => Shape::Plain("bool"),
            Type::U8 => Shape::Plain("u8"),
            Type::U16 => Shape::Plain("u16"),
            Type::U32 => Shape::Plain("u32"),
            Type::U64 => Shape::Plain("u64"),
            Type::S8 => Shape::Plain("i8"),
            Type::S16 => Shape::Plain("i16"),
            Type::S32 => Shape::Plain("i32"),
            Type::S64 => Shape::Plain("i64"),
            Type::F32 => Shape::Plain("f32"),
            Type::F64 => Shape::Plain("f64"),
            Type::Char => Shape::Plain("char"),
            Type::String => Shape::Plain("String"),
            Type::ErrorContext => return Err(self.refuse("an `error-context` cannot cross a link")),
            Type::Id(id) => self.reference(*id)?,
        })
    }

    /// A type by its name, if it has one; else what it is made of.
    fn reference(&self, id: TypeId) -> Planning<Shape> {
        let definition = &self.resolve.types[id];
        if self.is_byte_list(id) {
            return Ok(Shape::Bytes);
        }
        match &definition.name {
            Some(name) => Ok(Shape::Named(name.clone(), self.resources_in(id))),
            None => self.definition(id),
        }
    }

    /// What a type is made of. Records and the like, which have a name always, become [`Shape::Named`].
    pub(crate) fn definition(&self, id: TypeId) -> Planning<Shape> {
        let definition = &self.resolve.types[id];
        let boxed = |ty: &Option<Type>| {
            ty.as_ref().map(|ty| self.shape(ty)).transpose().map(|shape| shape.map(Box::new))
        };
        Ok(match &definition.kind {
            TypeDefKind::List(_) if self.is_byte_list(id) => Shape::Bytes,
            TypeDefKind::List(element) => Shape::List(Box::new(self.shape(element)?)),
            TypeDefKind::Option(some) => Shape::Option(Box::new(self.shape(some)?)),
            TypeDefKind::Result(result) => Shape::Result(boxed(&result.ok)?, boxed(&result.err)?),
            TypeDefKind::Tuple(tuple) => {
                if tuple.types.len() > TUPLE_MAX {
                    return Err(self.refuse("a tuple of more than 8 elements; make it a record"));
                }
                Shape::Tuple(tuple.types.iter().map(|ty| self.shape(ty)).collect::<Planning<_>>()?)
            }
            TypeDefKind::Type(alias) => self.shape(alias)?,
            TypeDefKind::Handle(Handle::Own(resource)) => {
                Shape::Own(self.known_resource(*resource)?)
            }
            TypeDefKind::Handle(Handle::Borrow(_)) => {
                return Err(
                    self.refuse("a borrowed handle inside a value; only a parameter can be one")
                );
            }
            TypeDefKind::Record(record) => {
                record.fields.iter().try_for_each(|field| self.shape(&field.ty).map(drop))?;
                self.named(id)
            }
            TypeDefKind::Variant(variant) => {
                let payloads = variant.cases.iter().filter_map(|case| case.ty.as_ref());
                payloads.map(|ty| self.shape(ty)).try_for_each(|shape| shape.map(drop))?;
                self.named(id)
            }
            TypeDefKind::Enum(_) | TypeDefKind::Flags(_) => self.named(id),
            TypeDefKind::Stream(_) => {
                return Err(self.refuse(
                    "a `stream`: serve this function with a table of your own (`Interface::function`)",
                ));
            }
            kind => return Err(self.refuse(format!("a `{}` cannot cross a link", kind.as_str()))),
        })
    }

    fn named(&self, id: TypeId) -> Shape {
        let name = self.resolve.types[id].name.clone().unwrap_or_default();
        Shape::Named(name, self.resources_in(id))
    }

    /// Follows aliases and `use`s.
    pub(crate) fn target(&self, id: TypeId) -> TypeId {
        match self.resolve.types[id].kind {
            TypeDefKind::Type(Type::Id(next)) => self.target(next),
            _ => id,
        }
    }

    fn is_byte_list(&self, id: TypeId) -> bool {
        let TypeDefKind::List(element) = &self.resolve.types[self.target(id)].kind else {
            return false;
        };
        match element {
            Type::U8 => true,
            Type::Id(id) => {
                matches!(self.resolve.types[self.target(*id)].kind, TypeDefKind::Type(Type::U8))
            }
            _ => false,
        }
    }

    /// The resource that `id` is, by whatever name.
    pub(crate) fn resource(&self, id: TypeId) -> Option<Resource> {
        let target = &self.resolve.types[self.target(id)];
        let (TypeDefKind::Resource, TypeOwner::Interface(owner)) = (&target.kind, target.owner)
        else {
            return None;
        };
        let interface = self.resolve.interfaces[owner].name.clone()?;
        Some(Resource { interface, name: target.name.clone()? })
    }

    fn known_resource(&self, id: TypeId) -> Planning<Resource> {
        self.resource(id).ok_or_else(|| self.refuse("a resource that belongs to no interface"))
    }

    /// The resources whose owned handles a type holds, however deep.
    pub(crate) fn resources_in(&self, id: TypeId) -> Vec<Resource> {
        let mut found = BTreeSet::new();
        self.collect(&Type::Id(id), &mut found);
        found.into_iter().collect()
    }

    fn collect(&self, ty: &Type, found: &mut BTreeSet<Resource>) {
        let Type::Id(id) = ty else { return };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Handle(Handle::Own(resource)) => found.extend(self.resource(*resource)),
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|field| self.collect(&field.ty, found));
            }
            TypeDefKind::Variant(variant) => {
                variant
                    .cases
                    .iter()
                    .filter_map(|case| case.ty.as_ref())
                    .for_each(|ty| self.collect(ty, found));
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().for_each(|ty| self.collect(ty, found)),
            TypeDefKind::Result(result) => {
                result.ok.iter().chain(&result.err).for_each(|ty| self.collect(ty, found));
            }
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => {
                self.collect(ty, found)
            }
            _ => {}
        }
    }
}
