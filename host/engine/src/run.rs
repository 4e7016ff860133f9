//! Runs a command to its exit code.
