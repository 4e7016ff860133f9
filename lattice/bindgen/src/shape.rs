//! What Rust type a WIT type becomes, and the refusal of those that a link cannot carry.
//!
//! A resource has no Rust type of its own: it is whatever the provider says ([`Shape::Own`]). So a type that holds one
//! is generic over it, and is written as `CasError<Self::Cas>` in the trait and `CasError<Handle>` in the client.

#![expect(clippy::indexing_slicing, reason = "the ids of a `Resolve` are valid in it")]

use std::collections::BTreeSet;
use std::fmt;

use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// Elements of a tuple at most: what `Encode` is implemented for.
const TUPLE_MAX: usize = 8;

/// A resource: the interface that defines it, by its place in [`Resolve`] and its name, and its own name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) interface: String,
    pub(crate) name: String,
}

/// What Rust type a WIT type becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A type that Rust has, by its path.
    Plain(&'static str),
    Bytes,
    /// A `stream<u8>`.
    Stream,
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
    pub(crate) place: String,
    pub(crate) why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

pub(crate) type Planning<T> = Result<T, Refusal>;

/// Finds out what types become, for one place in the WIT, which errors name.
pub(crate) struct Scout<'a> {
    pub(crate) resolve: &'a Resolve,
    pub(crate) place: String,
}

impl Scout<'_> {
    pub(crate) fn refuse(&self, why: impl fmt::Display) -> Refusal {
        Refusal { place: self.place.clone(), why: why.to_string() }
    }

    /// A parameter, where a handle may be borrowed.
    pub(crate) fn param(&self, ty: &Type) -> Planning<Shape> {
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
            TypeDefKind::Stream(Some(element)) if self.is_byte(element) => Shape::Stream,
            TypeDefKind::Stream(_) => {
                return Err(self.refuse("a `stream` of anything but `u8` cannot cross a link"));
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
        matches!(&self.resolve.types[self.target(id)].kind, TypeDefKind::List(element) if self.is_byte(element))
    }

    fn is_byte(&self, ty: &Type) -> bool {
        match ty {
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
        self.visit(&Type::Id(id), &mut |kind| {
            if let TypeDefKind::Handle(Handle::Own(resource)) = kind {
                found.extend(self.resource(*resource));
            }
        });
        found.into_iter().collect()
    }

    /// Whether a type holds a stream, however deep: then it can be neither copied nor compared.
    pub(crate) fn holds_stream(&self, id: TypeId) -> bool {
        let mut holds = false;
        self.visit(&Type::Id(id), &mut |kind| holds |= matches!(kind, TypeDefKind::Stream(_)));
        holds
    }

    /// Shows `look` a type and all that it is made of.
    fn visit(&self, ty: &Type, look: &mut impl FnMut(&TypeDefKind)) {
        let Type::Id(id) = ty else { return };
        let kind = &self.resolve.types[*id].kind;
        look(kind);
        match kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|field| self.visit(&field.ty, look));
            }
            TypeDefKind::Variant(variant) => {
                let payloads = variant.cases.iter().filter_map(|case| case.ty.as_ref());
                payloads.for_each(|ty| self.visit(ty, look));
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().for_each(|ty| self.visit(ty, look)),
            TypeDefKind::Result(result) => {
                result.ok.iter().chain(&result.err).for_each(|ty| self.visit(ty, look));
            }
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => {
                self.visit(ty, look);
            }
            _ => {}
        }
    }
}
