//! What a provider serves: interfaces, each a table of functions over the provider's link type.
//!
//! [`crate::bindgen!`] writes these tables. One may be written by hand, for functions that handle streams themselves.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use wicker_lattice::call::{ByteStream, CallError, Reply, Status};
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::types::{FunctionType, Functions, TypeHash, World};
use wicker_lattice::value::{Decode, Encode, Writer};

/// The parameters of one call.
#[derive(Debug)]
pub struct Incoming {
    /// Encoded as one tuple.
    pub params: Bytes,
    /// The streams that they refer to by index.
    pub streams: Vec<ByteStream>,
}

impl Incoming {
    /// Reads the parameters as a tuple.
    ///
    /// # Errors
    /// [`Status::BadFrame`]: they are not what the signature says.
    pub fn decode<T: Decode>(&self) -> Result<T, CallError> {
        wicker_lattice::value::decode_exact(&self.params).map_err(|error| {
            CallError::new(Status::BadFrame, format!("cannot read the parameters: {error}"))
        })
    }
}

/// Writes a result as the tuple that travels, with its streams.
pub fn answer<T: Encode>(result: &T) -> Reply {
    let mut writer = Writer::new();
    result.encode(&mut writer);
    let (results, streams) = writer.finish_with_streams();
    Reply { results, streams }
}

/// The answer to one call, being made.
pub type Answer = BoxFuture<'static, Result<Reply, CallError>>;

/// How one function is called on a link.
pub type Entry<L> = fn(Arc<L>, Incoming) -> Answer;

/// One interface, served by `L`.
pub struct Interface<L> {
    name: InterfaceName,
    functions: BTreeMap<&'static str, Function<L>>,
}

struct Function<L> {
    ty: FunctionType,
    hash: TypeHash,
    call: Entry<L>,
}

impl<L> Interface<L> {
    /// An interface without functions yet.
    #[must_use]
    pub fn new(name: InterfaceName) -> Self {
        Self { name, functions: BTreeMap::new() }
    }

    /// Adds a function, by its name in the component ABI.
    #[must_use]
    pub fn function(mut self, name: &'static str, ty: FunctionType, call: Entry<L>) -> Self {
        let hash = ty.hash();
        self.functions.insert(name, Function { ty, hash, call });
        self
    }
}

/// One interface that a provider calls, over links whose source it is.
#[derive(Debug, Clone)]
pub struct Import {
    name: InterfaceName,
    functions: Functions,
}

impl Import {
    /// An interface without functions yet.
    #[must_use]
    pub fn new(name: InterfaceName) -> Self {
        Self { name, functions: Functions::new() }
    }

    /// Adds a function, by its name in the component ABI.
    #[must_use]
    pub fn function(mut self, name: &'static str, ty: FunctionType) -> Self {
        self.functions.insert(name.to_owned(), ty);
        self
    }
}

/// All interfaces that a provider serves, and those that it calls.
pub struct Interfaces<L> {
    by_key: HashMap<InterfaceKey, Interface<L>>,
    imports: Vec<Import>,
}

impl<L> Default for Interfaces<L> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), imports: Vec::new() }
    }
}

impl<L> Interfaces<L> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. Of two with the same compatibility key the later one counts.
    #[must_use]
    pub fn with(mut self, interface: Interface<L>) -> Self {
        self.by_key.insert(interface.name.key(), interface);
        self
    }

    /// Adds one that the provider calls.
    #[must_use]
    pub fn calling(mut self, import: Import) -> Self {
        self.imports.push(import);
        self
    }

    /// Adds all of `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.by_key.extend(others.by_key);
        self.imports.extend(others.imports);
        self
    }

    /// What this makes of the provider, to the lattice.
    #[must_use]
    pub fn world(&self) -> World {
        let functions = |interface: &Interface<L>| {
            interface.functions.iter().map(|(name, f)| ((*name).to_owned(), f.ty.clone())).collect()
        };
        let exports =
            self.by_key.values().map(|each| (each.name.clone(), functions(each))).collect();
        let imports = self.imports.iter().map(|each| (each.name.clone(), each.functions.clone()));
        World { imports: imports.collect(), exports }
    }

    /// The function that a call asks for, if both ends agree about its signature.
    pub(crate) fn find(
        &self,
        key: &InterfaceKey,
        function: &str,
        hash: TypeHash,
    ) -> Result<Entry<L>, CallError> {
        let Some(interface) = self.by_key.get(key) else {
            return Err(CallError::new(Status::NotFound, format!("{key} is not served here")));
        };
        let Some(found) = interface.functions.get(function) else {
            let message = format!("{} has no function `{function}`", interface.name);
            return Err(CallError::new(Status::NotFound, message));
        };
        if found.hash == hash {
            return Ok(found.call);
        }
        let message = format!(
            "`{function}` of {} has another signature here ({}) than the caller expects ({hash})",
            interface.name, found.hash
        );
        Err(CallError::new(Status::TypeMismatch, message))
    }
}

impl<L> fmt::Debug for Interface<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.functions.keys().copied().collect();
        f.debug_struct("Interface").field("name", &self.name).field("functions", &names).finish()
    }
}

impl<L> fmt::Debug for Interfaces<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_key.keys()).finish()
    }
}
