//! A request that was let in, on its way to whoever serves it.

use std::sync::Arc;

use async_nats::Subject;
use tokio::time::Instant;

use super::keys::AttemptKey;
use super::running::Running;
use crate::call::Call;
use crate::subject::Callee;

/// A request that was let in.
pub(super) struct Admitted {
    pub(super) key: AttemptKey,
    pub(super) reply_to: Subject,
    pub(super) running: Arc<Running>,
    /// Bytes of each stream of the reply that the caller takes unasked.
    pub(super) credit: u64,
    /// Set where the parameters follow in parts: how many bytes.
    pub(super) parts: Option<u32>,
    /// Who is called, to name it in errors.
    pub(super) callee: Arc<Callee>,
    pub(super) call: Call,
    /// When it came.
    pub(super) began: Instant,
}
