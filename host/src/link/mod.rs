//! Links: which target an import leads to ([`resolve`]), and which of the target's processes a call goes to
//! ([`router`]), with retries where nothing was executed.

pub mod resolve;
pub mod router;

mod linked;
mod replay;

pub use linked::{Closed, Linked};
pub use router::Router;
