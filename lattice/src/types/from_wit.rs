//! Types from WIT: what `wit-parser` knows about a component or a package, as [`World`] and [`Functions`].
//!
//! The engine calls [`world`] after `wit_component::decode`, bindings call [`functions`] on source files, so both ends
//! of a link come to the same [`TypeHash`](super::TypeHash) by one path. Aliases are followed; a resource is named by
//! the interface that defines it, wherever it was `use`d.

#![expect(clippy::indexing_slicing, reason = "the ids of a `Resolve` index its own arenas")]

use wit_parser::{
    Function, Handle, InterfaceId, Resolve, Type as Wit, TypeDefKind, TypeId, TypeOwner, WorldId,
    WorldItem,
};

use super::{DEPTH_MAX, FunctionType, Functions, Type, World};
use crate::interface::InterfaceName;

/// A WIT type that has no [`Type`], or an interface without a name of the lattice's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FromWitError {
    /// The lattice has no such type.
    #[error("a `{0}` cannot cross a link")]
    NoSuchType(&'static str),
    /// Types nest deeper than [`DEPTH_MAX`].
    #[error("a type nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// The resource belongs to a world or an unnamed interface.
    #[error("resource `{0}` belongs to no named interface")]
    HomelessResource(String),
    /// The interface has no name, or one that is no name in the lattice.
    #[error("`{0}` is not the name of an interface")]
    Name(String),
    /// A function has such a type.
    #[error("function `{function}` of {interface}: {error}")]
    Function {
        /// Whose function it is.
        interface: String,
        /// Its name.
        function: String,
        /// What is wrong with it.
        error: Box<FromWitError>,
    },
}

/// What a world imports and exports.
///
/// Functions and interfaces that a world declares inline have no name in the lattice and are left out: no link can
/// lead to them. So are interfaces without functions.
///
/// # Errors
/// A function has a type that the lattice does not know.
pub fn world(resolve: &Resolve, world: WorldId) -> Result<World, FromWitError> {
    let named = |items: &mut dyn Iterator<Item = &WorldItem>| {
        let mut interfaces = std::collections::BTreeMap::new();
        for item in items {
            let WorldItem::Interface { id, .. } = item else { continue };
            if resolve.interfaces[*id].name.is_none() {
                continue;
            }
            let functions = functions(resolve, *id)?;
            if !functions.is_empty() {
                interfaces.insert(name(resolve, *id)?, functions);
            }
        }
        Ok(interfaces)
    };
    let world = &resolve.worlds[world];
    let imports = named(&mut world.imports.values())?;
    let exports = named(&mut world.exports.values())?;
    Ok(World { imports, exports })
}

/// The functions of an interface, by name as the component ABI has it.
///
/// # Errors
/// A function has a type that the lattice does not know.
pub fn functions(resolve: &Resolve, interface: InterfaceId) -> Result<Functions, FromWitError> {
    let mut functions = Functions::new();
    for (name, function) in &resolve.interfaces[interface].functions {
        let ty = self::function(resolve, function).map_err(|error| FromWitError::Function {
            interface: resolve.interfaces[interface].name.clone().unwrap_or_default(),
            function: name.clone(),
            error: Box::new(error),
        })?;
        functions.insert(name.clone(), ty);
    }
    Ok(functions)
}

/// The type of one function.
///
/// # Errors
/// It has a type that the lattice does not know.
pub fn function(resolve: &Resolve, function: &Function) -> Result<FunctionType, FromWitError> {
    let params = function.params.iter();
    let params = params.map(|param| Ok((param.name.clone(), ty(resolve, &param.ty)?)));
    Ok(FunctionType {
        params: params.collect::<Result<_, FromWitError>>()?,
        result: function.result.as_ref().map(|result| ty(resolve, result)).transpose()?,
        is_async: function.kind.is_async(),
    })
}

/// The name of an interface.
///
/// # Errors
/// It was declared inline, or its package nests.
pub fn name(resolve: &Resolve, interface: InterfaceId) -> Result<InterfaceName, FromWitError> {
    let known = &resolve.interfaces[interface];
    let id = known
        .name
        .as_ref()
        .zip(known.package)
        .map(|(name, package)| resolve.id_of_name(package, name));
    let id = id.ok_or_else(|| FromWitError::Name("an inline interface".to_owned()))?;
    id.parse().map_err(|_| FromWitError::Name(id))
}

/// One type.
///
/// # Errors
/// The lattice does not know it.
pub fn ty(resolve: &Resolve, wit: &Wit) -> Result<Type, FromWitError> {
    Walk { resolve, depth: 0 }.ty(wit)
}

/// A walk down one type.
#[derive(Clone, Copy)]
struct Walk<'a> {
    resolve: &'a Resolve,
    depth: u32,
}

impl Walk<'_> {
    fn ty(self, wit: &Wit) -> Result<Type, FromWitError> {
        Ok(match wit {
            Wit::Bool => Type::Bool,
            Wit::U8 => Type::U8,
            Wit::U16 => Type::U16,
            Wit::U32 => Type::U32,
            Wit::U64 => Type::U64,
            Wit::S8 => Type::S8,
            Wit::S16 => Type::S16,
            Wit::S32 => Type::S32,
            Wit::S64 => Type::S64,
            Wit::F32 => Type::F32,
            Wit::F64 => Type::F64,
            Wit::Char => Type::Char,
            Wit::String => Type::String,
            Wit::ErrorContext => return Err(FromWitError::NoSuchType("error-context")),
            Wit::Id(id) => self.defined(*id)?,
        })
    }

    fn defined(mut self, id: TypeId) -> Result<Type, FromWitError> {
        if self.depth == DEPTH_MAX {
            return Err(FromWitError::TooDeep);
        }
        self.depth += 1;
        let kind = &self.resolve.types[id].kind;
        Ok(match kind {
            TypeDefKind::Type(alias) => self.ty(alias)?,
            TypeDefKind::Record(record) => {
                let field =
                    |field: &wit_parser::Field| Ok((field.name.clone(), self.ty(&field.ty)?));
                Type::Record(record.fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|ty| self.ty(ty)).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let case =
                    |case: &wit_parser::Case| Ok((case.name.clone(), self.payload(&case.ty)?));
                Type::Variant(variant.cases.iter().map(case).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Enum(cases) => {
                Type::Enum(cases.cases.iter().map(|case| case.name.clone()).collect())
            }
            TypeDefKind::Flags(flags) => {
                Type::Flags(flags.flags.iter().map(|flag| flag.name.clone()).collect())
            }
            TypeDefKind::List(element) => Type::List(Box::new(self.ty(element)?)),
            TypeDefKind::Option(some) => Type::Option(Box::new(self.ty(some)?)),
            TypeDefKind::Result(result) => Type::Result {
                ok: self.payload(&result.ok)?.map(Box::new),
                err: self.payload(&result.err)?.map(Box::new),
            },
            TypeDefKind::Stream(element) => Type::Stream(self.payload(element)?.map(Box::new)),
            TypeDefKind::Future(value) => Type::Future(self.payload(value)?.map(Box::new)),
            TypeDefKind::Handle(handle) => self.handle(handle)?,
            TypeDefKind::Resource
            | TypeDefKind::Map(..)
            | TypeDefKind::FixedLengthList(..)
            | TypeDefKind::Unknown => return Err(FromWitError::NoSuchType(kind.as_str())),
        })
    }

    fn payload(self, ty: &Option<Wit>) -> Result<Option<Type>, FromWitError> {
        ty.as_ref().map(|ty| self.ty(ty)).transpose()
    }

    fn handle(self, handle: &Handle) -> Result<Type, FromWitError> {
        let (Handle::Own(id) | Handle::Borrow(id)) = handle;
        let mut resource = &self.resolve.types[*id];
        while let TypeDefKind::Type(Wit::Id(original)) = &resource.kind {
            resource = &self.resolve.types[*original];
        }
        let local = resource.name.clone().unwrap_or_default();
        let TypeOwner::Interface(owner) = resource.owner else {
            return Err(FromWitError::HomelessResource(local));
        };
        let owner = name(self.resolve, owner)?.key();
        Ok(match handle {
            Handle::Own(_) => Type::Own(owner, local),
            Handle::Borrow(_) => Type::Borrow(owner, local),
        })
    }
}
