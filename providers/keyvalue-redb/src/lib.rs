//! keyvalue-redb.
