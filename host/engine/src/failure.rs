//! What went wrong in a guest, in the terms of the lattice.

use wasmtime::{PoolConcurrencyLimitError, Trap};
use wicker_lattice::call::{CallError, Status};

use crate::config::ActorConfig;
use crate::limits::Limiter;
use crate::log::{Level, LogLine, Origin};

/// Turns the end of an instance into the answer to its call, and tells the actor's log what the caller is not told.
pub(crate) fn failed(
    actor: &ActorConfig,
    limiter: Option<&Limiter>,
    error: &wasmtime::Error,
) -> CallError {
    if let Some(failure) = error.downcast_ref::<CallError>() {
        return failure.clone();
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::new(Status::Overloaded, "the host has no free instance");
    }
    let cause = cause(limiter, error);
    let text = format!("call failed: {cause}\n{error:?}");
    actor.log.write(LogLine { origin: Origin::Engine, level: Level::Error, text: &text });
    CallError::new(Status::Trapped, format!("{} trapped: {cause}", actor.id))
}

/// One line that says why, without backtrace.
fn cause(limiter: Option<&Limiter>, error: &wasmtime::Error) -> String {
    if let Some(bytes) = limiter.and_then(Limiter::exceeded) {
        let mebibytes = bytes >> 20;
        return format!("out of memory: it may use {mebibytes} MiB (limits.memory)");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack overflow: recursion too deep".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}
