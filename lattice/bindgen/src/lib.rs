//! wicker-bindgen.
