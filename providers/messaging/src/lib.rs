//! Messages for any broker: a backend implements [`Broker`] and serves `wasmcloud:messaging` and `wicker:messaging`; what
//! comes in at it goes to a [`Subscriber`], whichever of the two the component was built for.
//!
//! When to deliver again is the backend's to know, which has the message; for those that have it only once there is [`Retry`].

pub mod broker;
mod retry;
pub mod subject;
mod subscriber;
pub mod wasmcloud;
pub mod wicker;

pub use broker::{Broker, Failure, Message};
pub use retry::{Drops, End, Retry, dead_letter};
pub use subscriber::{Delivery, Outcome, Subscriber};
use wicker_provider::Interfaces;

/// Everything that a link `L` serves, and the handlers that are called.
#[must_use]
pub fn interfaces<L: Broker>() -> Interfaces<L> {
    Interfaces::new()
        .with(wasmcloud::consumer::serve())
        .with(wicker::consumer::serve())
        .calling(wasmcloud::handler::import())
        .calling(wicker::handler::import())
}
