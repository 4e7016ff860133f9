//! HTTP in and out of a component.
