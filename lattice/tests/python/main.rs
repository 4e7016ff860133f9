//! A process in Python, written after docs/protocol.md alone (`providers/sdk-python`), beside one in Rust: each
//! serves the other, over a real nats-server. Needs `python3` with `nats-py`; `make test` installs them.

#[cfg(test)]
mod interop;
#[cfg(test)]
mod shout;
