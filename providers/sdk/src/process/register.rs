//! The handshake of a launched provider with its host: a provider is ready when its host has heard so from itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wicker_lattice::call::CallError;
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::nats::Nats;
use wicker_lattice::store::record::Sharing;
use wicker_lattice::types::World;

/// The question that a provider asks its host: `wicker.<lattice>.q.<host>.register`.
pub const REGISTER: &str = "register";

/// How long a host may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Times that it is asked: it may be busy, or NATS may be away.
const ATTEMPTS: u32 = 5;

/// What a provider says of itself. Its host believes it by the token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registration {
    /// What the host gave it when it launched it.
    pub token: Option<String>,
    /// Which process this is.
    pub process: ProcessId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which provider it runs.
    pub object: ObjectId,
    /// By which implementation.
    pub implementation: String,
    /// Whether another may run beside it.
    pub sharing: Sharing,
    /// What it serves.
    pub world: World,
    /// It runs by the fencing token that it was launched with, and not beyond.
    #[serde(default)]
    pub is_fenced: bool,
}

/// The host's answer to a [`Registration`] that it accepts. A refusal is an error.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Registered {}

/// Registers with `host`.
///
/// # Errors
/// The host refuses, or does not answer.
pub(crate) async fn register(
    nats: &Nats,
    (lattice, host): (&str, ProcessId),
    registration: &Registration,
) -> Result<Registered, CallError> {
    let mut pause = Duration::from_millis(100);
    let mut attempt = 1;
    loop {
        let asked = nats.query((lattice, host), REGISTER, registration, ANSWER_TIMEOUT).await;
        let is_final = attempt == ATTEMPTS || !asked.as_ref().is_err_and(may_come);
        if is_final {
            return asked;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

/// Whether asking again may help.
fn may_come(error: &CallError) -> bool {
    use wicker_lattice::call::Status;
    matches!(error.status, Status::Unavailable | Status::Overloaded | Status::Deadline)
}
