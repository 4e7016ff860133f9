//! A host's data directory: who it is, and what must survive a restart. One host at a time, by a file lock.
//!
//! Everything in it is private to the user (0700): compiled artifacts are run without another check, so nobody else
//! may write here.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use wicker_lattice::id::{ObjectId, ProcessId};

/// Hosts of one user on one machine that find a directory of their own without being given one.
const SIBLINGS_MAX: u32 = 64;

/// The file that holds the URL of the NATS server that the host of this directory started.
const NATS_URL_FILE: &str = "nats.url";

/// The file that holds the process id of that server, so that the next host here takes over what a killed one left.
const NATS_PID_FILE: &str = "nats.pid";

/// An open data directory; its lock is held until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    process: ProcessId,
    _lock: File,
}

impl DataDir {
    /// Opens `explicit`, or else the default or its first sibling that no other host holds.
    ///
    /// # Errors
    /// The directory cannot be made or read, is not the user's own, or another host holds it.
    pub fn open(explicit: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = explicit {
            return Self::try_open(path)?.with_context(|| {
                format!(
                    "{} is in use by another host: give this one its own --data DIR",
                    path.display()
                )
            });
        }
        for path in siblings(&default_dir()?) {
            if let Some(dir) = Self::try_open(&path)? {
                return Ok(dir);
            }
        }
        bail!("{SIBLINGS_MAX} hosts of this user run on this machine: give this one a --data DIR")
    }

    /// `None` if another host holds it.
    fn try_open(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
            format!("cannot make the data directory {shown}: give a writable one with --data DIR")
        })?;
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write to the data directory {shown}: give a writable one with --data DIR"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        refuse_if_others_may_write(path)?;
        let process = stable_id(&path.join("host-id"))?;
        Ok(Some(Self { path: path.to_owned(), process, _lock: lock }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The host's id, the same at every start.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// The id of the process that serves `provider` when this host launches it, the same at every start.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn provider_process(&self, provider: &ObjectId) -> anyhow::Result<ProcessId> {
        stable_id(&self.subdir("provider-ids")?.join(provider.to_token()))
    }

    /// Where `provider` may keep files when it runs on this host.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn provider_dir(&self, provider: &ObjectId) -> anyhow::Result<PathBuf> {
        self.subdir(&format!("providers/{}", provider.to_token()))
    }

    /// A directory below this one, made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn subdir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// The file for [`nats_urls`]; the host that starts a NATS server writes it, and removes it at the end.
    #[must_use]
    pub fn nats_url_file(&self) -> PathBuf {
        self.path.join(NATS_URL_FILE)
    }

    /// The file with the process id of that NATS server.
    #[must_use]
    pub fn nats_pid_file(&self) -> PathBuf {
        self.path.join(NATS_PID_FILE)
    }
}

/// `$XDG_DATA_HOME/wicker`, by default `~/.local/share/wicker`.
///
/// # Errors
/// The environment names neither.
pub fn default_dir() -> anyhow::Result<PathBuf> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("wicker"))
        .context("neither XDG_DATA_HOME nor HOME is set: say where to keep data with --data DIR")
}

/// URLs of NATS servers that hosts on this machine started: those of `explicit` and its siblings, then of the default.
#[must_use]
pub fn nats_urls(explicit: Option<&Path>) -> Vec<String> {
    let bases = explicit.map(Path::to_owned).into_iter().chain(default_dir().ok());
    bases
        .flat_map(|base| siblings(&base))
        .filter_map(|dir| std::fs::read_to_string(dir.join(NATS_URL_FILE)).ok())
        .map(|url| url.trim().to_owned())
        .collect()
}

/// `wicker`, `wicker-2`, `wicker-3`, ...
fn siblings(base: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let base = base.to_owned();
    (1..=SIBLINGS_MAX).map(move |n| match n {
        1 => base.clone(),
        n => {
            let mut name = base.as_os_str().to_owned();
            name.push(format!("-{n}"));
            PathBuf::from(name)
        }
    })
}

fn refuse_if_others_may_write(path: &Path) -> anyhow::Result<()> {
    let mode = path
        .metadata()
        .with_context(|| format!("cannot read {}", path.display()))?
        .permissions()
        .mode();
    if mode & 0o022 != 0 {
        bail!(
            "others may write to {}, which holds code that is run: chmod go-w it",
            path.display()
        );
    }
    Ok(())
}

/// Reads the id in `file`, or makes one and keeps it there.
fn stable_id(file: &Path) -> anyhow::Result<ProcessId> {
    let mut text = String::new();
    match File::open(file) {
        Ok(mut open) => {
            open.read_to_string(&mut text)
                .with_context(|| format!("cannot read {}", file.display()))?;
            text.trim()
                .parse()
                .with_context(|| format!("{} does not hold an id: delete it", file.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = ProcessId::generate();
            // Written beside and renamed, so that a crash in between leaves no half id.
            let fresh = file.with_extension("new");
            std::fs::write(&fresh, format!("{id}\n"))
                .and_then(|()| std::fs::rename(&fresh, file))
                .with_context(|| format!("cannot write {}", file.display()))?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_survives_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let provider: ObjectId = "t/a/p".parse().unwrap();
        let path = root.path().join("data");
        let first = DataDir::open(Some(&path)).unwrap();
        let ids = (first.process(), first.provider_process(&provider).unwrap());
        drop(first);
        let second = DataDir::open(Some(&path)).unwrap();
        assert_eq!((second.process(), second.provider_process(&provider).unwrap()), ids);
    }

    #[test]
    fn explicit_directory_in_use_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        let _held = DataDir::open(Some(&path)).unwrap();
        let error = DataDir::open(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("in use by another host"), "{error}");
    }

    #[test]
    fn siblings_are_numbered_from_two() {
        let names: Vec<_> = siblings(Path::new("/d/wicker")).take(3).collect();
        assert_eq!(names, ["/d/wicker", "/d/wicker-2", "/d/wicker-3"].map(PathBuf::from));
    }

    #[test]
    fn directory_that_others_may_write_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = DataDir::open(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("others may write"), "{error}");
    }

    #[test]
    fn damaged_id_is_an_error_not_a_new_identity() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("host-id"), "not an id").unwrap();
        assert!(stable_id(&root.path().join("host-id")).is_err());
    }
}
