//! The `http-server` provider: answers HTTP/1.1 and HTTP/2 on a socket, with or without TLS, by asking an
//! [`HttpTarget`](wicker_provider::http::HttpTarget).
//!
//! As a library it is the listener of every host: `ingress` gives it a target that calls components directly. As a
//! provider of its own it routes by the lattice's routes and calls over RPC.
//!
//! Read in this order: [`Config`] (what it does, and every limit), [`Listener`] (bind, then serve), `connection`
//! (one connection, from its first byte to its last), `service` (one request), `roster` (who is slow, and how all
//! are drained), [`routes`] (which target a request is for). [`HttpServer`] and `gateway` are the
//! provider.
//!
//! It refuses to guess: no upgrade, no `CONNECT`, no request without a host.

mod activity;
mod answer;
mod config;
mod connection;
mod forwarded;
mod gateway;
mod listener;
mod log_limit;
mod provider;
mod roster;
pub mod routes;
mod service;
mod tls;
mod unread;

pub use config::{Config, Forwarded, Limits, Tls};
pub use listener::{DrainError, ListenError, Listener, Server};
pub use provider::{HttpServer, NoLinks};
pub use tls::TlsError;
