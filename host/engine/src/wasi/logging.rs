//! `wasi:logging/logging`: messages of a guest, at the level that it chose.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::instance::Guest;
use crate::log::{Level, Origin};

/// The names in use; the interface never had a release.
const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

/// A longer message is cut.
const MESSAGE_BYTES_MAX: usize = 4096;

#[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting only")]
enum GuestLevel {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

impl From<GuestLevel> for Level {
    fn from(level: GuestLevel) -> Self {
        match level {
            GuestLevel::Trace => Self::Trace,
            GuestLevel::Debug => Self::Debug,
            GuestLevel::Info => Self::Info,
            GuestLevel::Warn => Self::Warn,
            GuestLevel::Error | GuestLevel::Critical => Self::Error,
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap("log", log)?;
    }
    Ok(())
}

fn log(
    store: StoreContextMut<'_, Guest>,
    (level, context, message): (GuestLevel, String, String),
) -> wasmtime::Result<()> {
    let mut text = if context.is_empty() { message } else { format!("{context}: {message}") };
    text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    store.data().template().guest_line(Origin::Logging, level.into(), &text);
    Ok(())
}
