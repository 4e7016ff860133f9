//! HTTP requests to a component, and those that it sends.
//!
//! A request enters by [`Actor::http`](crate::Actor::http), typed all the way: no wire encoding, no dynamic values. The guest runs inside
//! the caller's own task. When its response is small and complete at once, which is the rule, it is handed back in one
//! piece; else the body that is handed back *drives* the guest: whoever reads it sets the pace, and whoever drops it
//! stops the guest. No task, no channel of ours, constant memory.
//!
//! Read on in: `request` (how one comes in), `exchange` (the guest at work), `response` and `body` (what is handed
//! back), `v2` and `v3` (the two versions of the interface), `serve` (requests that arrive over a link), `outgoing`
//! (requests that the guest sends).

mod body;
mod error_code;
mod exchange;
mod incoming;
mod job;
mod outgoing;
mod probe;
mod request;
mod response;
mod serve;
mod streams;
mod v2;
mod v3;

use std::error::Error as StdError;

pub use body::HttpBody;
pub use request::{Incoming, Refused};
pub(crate) use serve::serve;

/// Whatever ended a body early.
pub type BoxError = Box<dyn StdError + Send + Sync>;
