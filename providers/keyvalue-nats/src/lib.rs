//! keyvalue-nats.
