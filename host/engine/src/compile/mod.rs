//! From the bytes of a component to code that is ready to run.
//!
//! Read on in: `component` (what is known of the bytes without compiling them), `artifact` (what compiling makes),
//! `cache` (artifacts on disk), `process` (compiling in a process of its own), `compiler` (who decides which of them).

mod artifact;
mod cache;
mod compiler;
mod component;
mod process;
mod slim;

pub use cache::CacheError;
pub(crate) use compiler::{Compiled, Compiler};
pub use component::world_of;
pub use process::compiler_process;
pub use slim::{component_of, slim};
