//! What each of our processes does, whether it is a host or a provider: it owns its tasks, drains them, listens to
//! signals, writes its log, and asks a clock what time it is.

pub mod clock;
pub mod signal;
pub mod tasks;
pub mod telemetry;

pub use clock::Clock;
pub use tasks::Tasks;
