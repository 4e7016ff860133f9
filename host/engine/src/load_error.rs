//! Why bytes become no program: an answer that several loads may share, and that a compiler in another process can give.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A file cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LoadError {
    /// It is something else altogether.
    #[error("not a WebAssembly component (nor a core module for WASI preview 1)")]
    NotWasm,
    /// A core module that imports more than WASI preview 1.
    #[error(
        "cannot make a component of this core module; only modules for WASI preview 1 are adapted"
    )]
    Adapt(#[source] Cause),
    /// The types of its imports and exports cannot be read.
    #[error("cannot read the component's types")]
    Wit(#[source] Cause),
    /// They are types that the lattice does not know; says which.
    #[error("{0}")]
    Types(String),
    /// It does not validate, or uses a feature that is off.
    #[error("cannot compile the component")]
    Compile(#[source] Cause),
    /// The compiler did not survive it, or was not done in time; says how it ended.
    #[error("the compiler failed on the component: {0}")]
    Crashed(String),
    /// It imports what nobody in a lattice could ever serve.
    #[error("cannot link the component: {0}")]
    Unsupported(String),
    /// An import does not have the type that the engine serves.
    #[error("cannot link the component")]
    Link(#[source] Cause),
    /// The compiler cannot work: no thread, no process, no room on the disk, or the system ended it. Says nothing about
    /// the component: the same again may work.
    #[error("cannot run the compiler")]
    Compiler(#[source] Cause),
    /// Its bytes cannot be had just now.
    #[error("cannot fetch the component")]
    Fetch(#[source] Cause),
    /// The process is ending.
    #[error("the engine is stopping")]
    Stopped,
}

/// An error, and what caused it, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl From<&(dyn Error + 'static)> for Cause {
    fn from(error: &(dyn Error + 'static)) -> Self {
        let source = error.source().map(|source| Box::new(source.into()));
        Self { text: error.to_string(), source }
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        (&error as &(dyn Error + 'static)).into()
    }
}

impl From<anyhow::Error> for Cause {
    fn from(error: anyhow::Error) -> Self {
        let error: &(dyn Error + 'static) = error.as_ref();
        error.into()
    }
}

impl From<wasmtime::Error> for Cause {
    fn from(error: wasmtime::Error) -> Self {
        let error: &(dyn Error + 'static) = error.as_ref();
        error.into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
