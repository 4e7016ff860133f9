//! The types of functions, as both ends of a call know them, and the hash by which they compare them.
//!
//! A [`Type`] tree is made from WIT (feature `wit`), for components and for provider bindings alike, and is stored in
//! the lattice under the digest of what it describes. Everything that handles values without generated code (the
//! `Val` codec, WAVE on the command line, the checks at link time) walks this tree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::interface::{InterfaceKey, InterfaceName};

#[cfg(feature = "wit")]
pub mod from_wit;

/// Levels to which types and their values may nest. WIT in the wild stays below ten.
pub const DEPTH_MAX: u32 = 64;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the cases are WIT's own")]
pub enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    String,
    List(Box<Type>),
    Record(Vec<(String, Type)>),
    Tuple(Vec<Type>),
    Variant(Vec<(String, Option<Type>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Type>),
    Result {
        ok: Option<Box<Type>>,
        err: Option<Box<Type>>,
    },
    /// A resource, owned, by the interface that defines it and its name.
    Own(InterfaceKey, String),
    /// A resource, borrowed for the call.
    Borrow(InterfaceKey, String),
    /// A `stream<T>`; `None` for a stream without payload. Only `stream<u8>` crosses a link.
    Stream(Option<Box<Type>>),
    /// A `future<T>`. Known, so that an error can name it; does not cross a link.
    Future(Option<Box<Type>>),
}

/// The type of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionType {
    /// Names and types, in order. A method's first is `self`.
    pub params: Vec<(String, Type)>,
    /// What it returns, if anything.
    pub result: Option<Type>,
    /// Whether WIT says `async func`. Not part of the hash: both kinds answer one call.
    #[serde(default)]
    pub is_async: bool,
}

/// The functions of one interface, by name as WIT's ABI has it: `get`, `[method]bucket.get`, `[static]x.y`.
pub type Functions = BTreeMap<String, FunctionType>;

/// What a component or provider needs and offers. Interfaces that hold only types are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// What it calls.
    pub imports: BTreeMap<InterfaceName, Functions>,
    /// What it serves.
    pub exports: BTreeMap<InterfaceName, Functions>,
}

/// The first 8 bytes of the SHA-256 of a signature's canonical form.
///
/// Two ends whose hashes differ must not decode each other's values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypeHash(pub [u8; 8]);

impl FunctionType {
    /// The hash of this signature: of its canonical form, which `Display` writes.
    #[must_use]
    pub fn hash(&self) -> TypeHash {
        let digest = Sha256::digest(self.to_string().as_bytes());
        TypeHash(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// The canonical form: `func(self:borrow<wasi:keyvalue/store#bucket>,key:string,)->result<option<list<u8>>,_>`.
///
/// Parameter names count; the function's own name, versions, documentation, aliases and `async` do not. The alternate
/// form (`{:#}`) is for people: `func(self: borrow<bucket>, key: string) -> result<option<list<u8>>, _>`.
impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        items(f, &self.params, |f, (name, ty)| named(f, name, ty))?;
        f.write_str(")")?;
        let Some(result) = &self.result else { return Ok(()) };
        f.write_str(if f.alternate() { " -> " } else { "->" })?;
        result.fmt(f)
    }
}

/// The canonical form: no spaces, names and structure only, resources by package and interface without version.
///
/// Injective but for those versions: each kind of type begins with a word of its own, every list of items ends each of
/// them with a comma and is closed by a bracket, and WIT names hold neither commas, colons nor brackets. The alternate
/// form (`{:#}`) is for people.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::S8 => f.write_str("s8"),
            Self::S16 => f.write_str("s16"),
            Self::S32 => f.write_str("s32"),
            Self::S64 => f.write_str("s64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(element) => angled(f, "list", &[Some(element)]),
            Self::Record(fields) => braced(f, "record", fields, |f, (name, ty)| named(f, name, ty)),
            Self::Tuple(types) => braced(f, "tuple", types, |f, ty| ty.fmt(f)),
            Self::Variant(cases) => braced(f, "variant", cases, |f, (name, ty)| {
                f.write_str(name)?;
                let Some(ty) = ty else { return Ok(()) };
                f.write_str("(")?;
                ty.fmt(f)?;
                f.write_str(")")
            }),
            Self::Enum(names) => braced(f, "enum", names, |f, name| f.write_str(name)),
            Self::Flags(names) => braced(f, "flags", names, |f, name| f.write_str(name)),
            Self::Option(some) => angled(f, "option", &[Some(some)]),
            Self::Result { ok, err } => angled(f, "result", &[ok.as_deref(), err.as_deref()]),
            Self::Own(interface, name) => handle(f, "own", interface, name),
            Self::Borrow(interface, name) => handle(f, "borrow", interface, name),
            Self::Stream(element) => angled(f, "stream", &[element.as_deref()]),
            Self::Future(value) => angled(f, "future", &[value.as_deref()]),
        }
    }
}

/// `kind<first,second>`; a type that is missing is `_`.
fn angled(f: &mut fmt::Formatter<'_>, kind: &str, types: &[Option<&Type>]) -> fmt::Result {
    write!(f, "{kind}<")?;
    for (index, ty) in types.iter().enumerate() {
        if index > 0 {
            f.write_str(if f.alternate() { ", " } else { "," })?;
        }
        match ty {
            Some(ty) => fmt::Display::fmt(ty, f)?,
            None => f.write_str("_")?,
        }
    }
    f.write_str(">")
}

/// `kind{first,second,}`.
fn braced<T>(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    each: &[T],
    item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    let (open, close) = if f.alternate() { (" { ", " }") } else { ("{", "}") };
    write!(f, "{kind}{open}")?;
    items(f, each, item)?;
    f.write_str(close)
}

/// Each item with a comma after it; for people, with a comma between them.
fn items<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, each) in items.iter().enumerate() {
        if f.alternate() && index > 0 {
            f.write_str(", ")?;
        }
        item(f, each)?;
        if !f.alternate() {
            f.write_str(",")?;
        }
    }
    Ok(())
}

fn named(f: &mut fmt::Formatter<'_>, name: &str, ty: &Type) -> fmt::Result {
    f.write_str(name)?;
    f.write_str(if f.alternate() { ": " } else { ":" })?;
    fmt::Display::fmt(ty, f)
}

fn handle(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    interface: &InterfaceKey,
    name: &str,
) -> fmt::Result {
    if f.alternate() {
        return write!(f, "{kind}<{name}>");
    }
    let unversioned = interface.as_str().split('@').next().unwrap_or_default();
    write!(f, "{kind}<{unversioned}#{name}>")
}

impl fmt::Display for TypeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TypeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[cfg(feature = "wit")]
mod tests;
