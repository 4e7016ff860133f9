//! Lattice RPC between two processes' ends, over every nats-server of this machine.

mod common;
mod unary;
