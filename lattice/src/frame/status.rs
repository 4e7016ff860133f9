//! How a call failed, as a byte.

use crate::call::Status;

/// What a status is on the wire; 0 is success.
#[must_use]
pub fn status_code(status: Status) -> u8 {
    match status {
        Status::Unavailable => 1,
        Status::NotFound => 2,
        Status::TypeMismatch => 3,
        Status::Denied => 4,
        Status::Overloaded => 5,
        Status::Draining => 6,
        Status::Deadline => 7,
        Status::Cancelled => 8,
        Status::Trapped => 9,
        Status::Lost => 10,
        Status::BadFrame => 11,
        Status::Unsupported => 12,
        Status::Gone => 13,
    }
}

/// Reads what [`status_code`] wrote.
#[must_use]
pub fn status_from_code(code: u8) -> Option<Status> {
    const ALL: [Status; 13] = [
        Status::Unavailable,
        Status::NotFound,
        Status::TypeMismatch,
        Status::Denied,
        Status::Overloaded,
        Status::Draining,
        Status::Deadline,
        Status::Cancelled,
        Status::Trapped,
        Status::Lost,
        Status::BadFrame,
        Status::Unsupported,
        Status::Gone,
    ];
    ALL.into_iter().find(|status| status_code(*status) == code)
}
