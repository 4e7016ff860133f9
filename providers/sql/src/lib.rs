//! wicker:sql for any database: a backend says how one connection does its work ([`worker`]), and the rest is here, once.
//!
//! That rest is the pool of connections that each link has ([`pool`]), transactions and cursors, which are kept for
//! their callers and rolled back when nobody uses them any more, the end of a statement at its call's deadline, and what
//! the statements of a caller may not do to a connection that others will use after it ([`guard`]).

pub mod calendar;
mod cursor;
pub mod guard;
mod link;
pub mod pool;
pub mod text;
mod transaction;
mod whole;
pub mod worker;

wicker_provider::bindgen!({
    path: "../../wit/wicker-sql",
    interfaces: ["wicker:sql/types@0.1.0", "wicker:sql/database@0.1.0"],
});

pub use crate::cursor::Cursor;
pub use crate::link::Link;
pub use crate::pool::{Bounds, Connect, Pool};
pub use crate::transaction::Transaction;
pub use crate::whole::Rows;
/// Bytes of a page, roughly: what goes into one message in most lattices.
pub const PAGE_BYTES: usize = 512 << 10;

pub use crate::worker::{Command, Fetched, PageSize, Reply, Session, Statement};

use wicker_provider::Interfaces;

/// Everything that a link to a database serves.
#[must_use]
pub fn interfaces() -> Interfaces<Link> {
    Interfaces::new().with(database::serve())
}

/// An error as text, for people and logs.
#[must_use]
pub fn explain(error: &types::Error) -> String {
    use types::Error::{
        Busy, Conversion, Deadline, Denied, Gone, Lost, Mistake, Other, Overloaded, Serialization,
        Unavailable, Violation,
    };
    match error {
        Mistake(mistake) => mistake.message.clone(),
        Violation(violation) => violation.message.clone(),
        Conversion(text) | Serialization(text) | Denied(text) | Deadline(text) | Busy(text)
        | Gone(text) | Unavailable(text) | Overloaded(text) | Lost(text) | Other(text) => {
            text.clone()
        }
    }
}
