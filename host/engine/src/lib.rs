//! Runs WebAssembly components. Wasmtime lives in here and nowhere else; NATS does not.
//!
//! Read in this order: [`config`] (what can be set), [`engine`] (the two wasmtime engines), [`program`] (bytes become
//! a compiled component), [`actor`] (a component under its name: admission, instances, limits), then the two edges of
//! an instance: `import` (what it calls) and `export` (what is called in it), both over `codec`.
//!
//! The engine knows no host, no link record and no provider: an import leads wherever the
//! [`Links`](wicker_lattice::link::Links) that the host hands it say.

pub mod actor;
pub mod config;
pub mod engine;
pub mod http;
pub mod log;
pub mod program;
pub mod run;

mod admission;
mod cache;
mod codec;
mod compile;
mod deadline;
mod export;
mod failure;
mod import;
mod instance;
mod limits;
mod ticker;
mod tokens;
mod wasi;

pub use actor::{Actor, ActorError, Stats};
pub use compile::world_of;
pub use config::{ActorConfig, Codec, EngineConfig, Limits};
pub use engine::{Engine, EngineError, Report};
pub use log::{Level, LogLine, LogSink, Origin};
pub use program::{LoadError, Program};
