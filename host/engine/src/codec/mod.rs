//! Between the memory of a guest and the wire.
