//! Real guests, built from source, in a real engine: what they are given, what they are denied, and what they cannot
//! do to their neighbours.

mod command;
mod http;
mod limits;
mod outgoing;
mod sandbox;
mod support;
