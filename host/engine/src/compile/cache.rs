//! Compiled components on disk: one file for each digest and engine, mapped into memory when it is loaded.
//!
//! An artifact is machine code that runs with the host's rights. So the directory must be ours and closed to everyone
//! else, and a file is named after everything that it depends on: the component's digest, and the hash in which
//! wasmtime sums up its version, its settings and the processor. Files are written beside their name and renamed.

use std::fs::{self, DirBuilder, File};
use std::hash::Hash as _;
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use super::artifact::{Artifact, Facts};
use crate::digest::hex;
use crate::flavor::Flavors;
use crate::load_error::LoadError;

/// A directory of artifacts.
#[derive(Debug)]
pub(super) struct Cache {
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
    pub(super) fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Io { directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let found = fs::metadata(directory).map_err(failed)?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw();
        if !is_ours || found.permissions().mode() & 0o022 != 0 {
            return Err(CacheError::NotOurs { directory: directory.to_owned() });
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The component `digest` and its facts, if they were compiled for equal engines.
    pub(super) fn load(
        &self,
        engines: &Flavors<wasmtime::Engine>,
        digest: &str,
    ) -> Option<(Component, Facts)> {
        let facts = Facts::read(&fs::read(self.directory.join(facts_name(digest))).ok()?)?;
        let engine = engines.get(facts.flavor());
        Some((self.component(engine, &code_name(engine, digest))?, facts))
    }

    /// Keeps `artifact` of the component `digest`.
    pub(super) fn store(
        &self,
        engines: &Flavors<wasmtime::Engine>,
        digest: &str,
        artifact: &Artifact,
    ) -> io::Result<()> {
        let engine = engines.get(artifact.facts.flavor());
        // The code first: facts without it are of no use.
        self.keep(&code_name(engine, digest), &artifact.code)?;
        self.keep(&facts_name(digest), &serde_json::to_vec(&artifact.facts)?)
    }

    /// The component that was kept under `name`, if it is there and whole.
    #[expect(
        unsafe_code,
        reason = "maps machine code that only this user could have written, see the file's head"
    )]
    fn component(&self, engine: &wasmtime::Engine, name: &str) -> Option<Component> {
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

    /// Keeps `bytes` under `name`: all of them or none, also when the machine stops.
    fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
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
pub(super) fn fresh(
    engines: &Flavors<wasmtime::Engine>,
    artifact: &Artifact,
) -> Result<Component, LoadError> {
    let engine = engines.get(artifact.facts.flavor());
    // SAFETY: the code in an `Artifact` is what `Engine::precompile_component` returned.
    let component = unsafe { Component::deserialize(engine, &artifact.code) };
    component.map_err(|error| LoadError::Compile(error.into()))
}

fn facts_name(digest: &str) -> String {
    format!("{digest}.facts.json")
}

fn code_name(engine: &wasmtime::Engine, digest: &str) -> String {
    let mut hasher = Sha256::new();
    engine.precompile_compatibility_hash().hash(&mut Sink(&mut hasher));
    format!("{digest}-{}.cwasm", &hex(&hasher.finalize())[..16])
}

/// Lets `std::hash` feed a cryptographic hash.
struct Sink<'a>(&'a mut Sha256);

impl std::hash::Hasher for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}
