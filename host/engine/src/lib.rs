//! Runs WebAssembly components. Wasmtime lives in here and nowhere else; NATS does not.
//!
//! Read in this order: [`config`] (what can be set), `flavor` (the two wasmtime engines), `compile` (bytes become code),
//! [`program`] (code with its two edges: `import`, what it calls, and `export`, what is called in it, both over
//! `codec`), [`engine`] (what programs share), [`actor`] (a program under its name: admission, instances, limits). On
//! top of that stand the three ways into an actor: `invoke`, [`http`] and [`run`]. Imports lead downwards only.
//!
//! The engine knows no host, no link record and no provider: an import leads wherever the
//! [`Links`](wicker_lattice::link::Links) that the host hands it say.

pub mod actor;
pub mod config;
pub mod engine;
mod home;
pub mod http;
pub mod log;
pub mod program;
pub mod run;

mod admission;
mod blobstore;
mod codec;
mod compile;
mod deadline;
mod digest;
mod export;
mod failure;
mod flavor;
mod import;
mod instance;
mod invoke;
mod limits;
mod load_error;
mod loads;
mod probe;
mod report;
mod ticker;
mod tokens;
mod wasi;

pub use actor::{Actor, ActorError, Stats};
pub use compile::{CacheError, compiler_process, component_of, slim, world_of};
pub use config::{
    ActorConfig, Codec, CompilerCommand, DEFAULT_IDLE, EngineConfig, GrantedSecrets, Limits,
};
pub use engine::{Engine, EngineError};
pub use load_error::{Cause, LoadError};
pub use log::{Level, LogLine, LogSink, Origin};
pub use program::Program;
pub use report::Report;
