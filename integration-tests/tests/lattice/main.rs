//! Wicker as its users meet it: real hosts, real servers, real components, counted outcomes.

mod bodies;
mod compose;
mod examples;
mod failover;
mod isolation;
mod load;
mod processes;
mod swap;
mod up;
mod verbs;
mod wire;
