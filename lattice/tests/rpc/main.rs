//! Lattice RPC between two processes' ends, over every nats-server of this machine.

#[cfg(test)]
mod attempts;
#[cfg(test)]
mod brief;
#[cfg(test)]
mod common;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod large;
#[cfg(test)]
mod limit;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod unary;
