//! Schedules, decided purely: when a schedule is due ([`Clockwork`]), and what is to be done about it now ([`Turn`]).
//!
//! Refuses to know the time, to call anybody and to write anything: whoever acts passes the time in, writes the [`Ticks`] that
//! a turn gives back, and only then begins the deliveries that it asked for.
//!
//! [`Ticks`]: wicker_lattice::store::record::Ticks

mod clockwork;
mod turn;

pub use clockwork::{Clockwork, TimingError, rfc3339};
pub use turn::{Delivery, Ended, Outcome, TakenIn, Turn};

#[cfg(test)]
mod tests;
