//! Compiled components on disk: one file for each digest and engine, mapped into memory when it is loaded.
//!
//! An artifact is machine code that runs with the host's rights. So the directory must be ours and closed to everyone
//! else, and a file is named after everything that it depends on: the component's digest, and the hash in which
//! wasmtime sums up its version, its settings and the processor. Files are written beside their name and renamed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use wasmtime::component::Component;

use crate::program::LoadError;

/// A directory of artifacts.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
}

/// The artifact directory is not usable.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or read.
    #[error("cannot use the artifact directory {}", directory.display())]
    Io {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others could plant machine code in it.
    #[error(
        "the artifact directory {} could be written by others: it must belong to this user, with mode 0700",
        directory.display()
    )]
    NotOurs {
        /// Which.
        directory: PathBuf,
    },
}

impl Cache {
    /// Opens `directory`, and makes it if it is missing.
    pub(crate) fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Io { directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let found = fs::metadata(directory).map_err(failed)?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw();
        if !is_ours || found.permissions().mode() & 0o022 != 0 {
            return Err(CacheError::NotOurs { directory: directory.to_owned() });
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The component that was kept under `name`, if it is there and whole.
    #[expect(
        unsafe_code,
        reason = "maps machine code that only this user could have written, see the file's head"
    )]
    pub(crate) fn component(&self, engine: &wasmtime::Engine, name: &str) -> Option<Component> {
        let path = self.directory.join(name);
        if !path.exists() {
            return None;
        }
        // SAFETY: the file was written by this engine or an equal one: `open` found the directory closed to others,
        // `keep` renames only what was written completely, and the name holds the engine's compatibility hash.
        match unsafe { Component::deserialize_file(engine, &path) } {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled component is damaged, compiling again");
                None
            }
        }
    }

    /// What was kept under `name`.
    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.directory.join(name)).ok()
    }

    /// Keeps `bytes` under `name`: all of them or none, also when the machine stops.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(format!(".{name}.{:x}", fastrand::u64(..)));
        let written =
            write_new(&draft, bytes).and_then(|()| fs::rename(&draft, self.directory.join(name)));
        if written.is_err() {
            // The draft is of no use; that it cannot be removed either says nothing new.
            let _ = fs::remove_file(&draft);
        }
        written
    }
}

/// A component from an artifact that was made a moment ago.
#[expect(unsafe_code, reason = "the artifact comes straight from this process's own compiler")]
pub(crate) fn component_from_bytes(
    engine: &wasmtime::Engine,
    artifact: &[u8],
) -> Result<Component, LoadError> {
    // SAFETY: the only caller passes what `Engine::precompile_component` returned.
    unsafe { Component::deserialize(engine, artifact) }.map_err(LoadError::Compile)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}
