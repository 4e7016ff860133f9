//! What a process says of itself when it joins lattice RPC.

use crate::id::ProcessId;

/// What a process that calls and is called must know.
#[derive(Debug, Clone)]
pub struct RpcConfig {
    /// The lattice.
    pub lattice: String,
    /// This process. Two that run under one id take each other's calls.
    pub process: ProcessId,
    /// Calls from other processes served at once; more are answered `overloaded`. Default 4096.
    pub in_flight_max: usize,
    /// Bytes of parameters, too large for one message, that may be arriving at once; calls that would exceed it are
    /// answered `overloaded`. Default 256 MiB.
    pub gathering_bytes_max: usize,
}

impl RpcConfig {
    /// The defaults, for this process in this lattice.
    pub fn new(lattice: impl Into<String>, process: ProcessId) -> Self {
        Self {
            lattice: lattice.into(),
            process,
            in_flight_max: 4096,
            gathering_bytes_max: 256 << 20,
        }
    }
}
