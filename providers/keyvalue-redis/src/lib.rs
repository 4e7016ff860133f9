//! keyvalue-redis.
