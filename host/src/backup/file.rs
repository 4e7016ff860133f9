//! The file of a backup: a line of JSON for each value, and each component after a line that announces it. The last line holds
//! the digest of all before, so that half a file is known as such.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wicker_lattice::store::{IMAGE_BYTES_MAX, Store};

/// The version of the format.
const FORMAT: u32 = 1;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The first one.
    WickerBackup { format: u32, lattice: String, at: String },
    /// A value of the spec bucket.
    Value { key: String, value: Value },
    /// A component; so many bytes follow, and a line feed.
    Image { digest: String, bytes: u64 },
    /// The last one.
    End { digest: String },
}

/// What a backup holds.
#[derive(Debug)]
pub struct Contents {
    /// The lattice that it was made of.
    pub lattice: String,
    /// When, RFC 3339.
    pub at: String,
    /// By key.
    pub values: BTreeMap<String, Value>,
    /// By digest: where in the file, and how many bytes.
    pub images: BTreeMap<String, (u64, u64)>,
}

/// Writes a backup to `path`: beside it and renamed, so that there is never half of one. Only the user may read it.
///
/// # Errors
/// The file cannot be written, or a component cannot be fetched from the lattice.
pub async fn write(
    path: &Path,
    (lattice, at): (&str, &str),
    values: &BTreeMap<String, Value>,
    store: &Store,
) -> anyhow::Result<usize> {
    let failed = || format!("cannot write {}", path.display());
    let fresh = path.with_extension("partial");
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    let mut to = Hashing { to: BufWriter::new(file.with_context(failed)?), hash: Sha256::new() };
    let (lattice, at) = (lattice.to_owned(), at.to_owned());
    to.line(&Line::WickerBackup { format: FORMAT, lattice, at }).with_context(failed)?;
    for (key, value) in values {
        let line = Line::Value { key: key.clone(), value: value.clone() };
        to.line(&line).with_context(failed)?;
    }
    let images = super::images(values);
    for digest in &images {
        let image = store.get_image(digest).await?;
        let line = Line::Image { digest: digest.clone(), bytes: image.len() as u64 };
        to.line(&line).with_context(failed)?;
        to.raw(&image).and_then(|()| to.raw(b"\n")).with_context(failed)?;
    }
    to.end().and_then(|()| std::fs::rename(&fresh, path)).with_context(failed)?;
    Ok(images.len())
}

struct Hashing {
    to: BufWriter<File>,
    hash: Sha256,
}

impl Hashing {
    fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }

    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.raw(&text)
    }

    fn end(mut self) -> std::io::Result<()> {
        let digest = hex(self.hash.clone());
        self.line(&Line::End { digest })?;
        self.to.flush()?;
        self.to.get_ref().sync_all()
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a backup, whole but for the components, and checks that nothing of it is missing.
///
/// # Errors
/// It cannot be read, is no backup, or is damaged.
pub fn read(path: &Path) -> anyhow::Result<Contents> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut reader = Reader { from: BufReader::new(file), hash: Sha256::new(), at: 0 };
    let first = reader.line().ok().flatten();
    let Some((Line::WickerBackup { format, lattice, at }, _)) = first else {
        bail!("{shown} is no backup: it was not written by `wicker backup`")
    };
    ensure!(
        format == FORMAT,
        "{shown} has format {format}, this wicker reads {FORMAT}: use a newer one"
    );
    let mut contents = Contents { lattice, at, values: BTreeMap::new(), images: BTreeMap::new() };
    let damaged = || format!("{shown} is damaged: it ends too early, or was changed");
    loop {
        match reader.line().with_context(damaged)?.with_context(damaged)? {
            (Line::Value { key, value }, _) => _ = contents.values.insert(key, value),
            (Line::Image { digest, bytes }, _) => {
                contents.images.insert(digest, (reader.at, bytes));
                reader.skip(bytes + 1).with_context(damaged)?;
            }
            (Line::End { digest }, before) => {
                ensure!(digest == hex(before), damaged());
                return Ok(contents);
            }
            (Line::WickerBackup { .. }, _) => bail!(damaged()),
        }
    }
}

struct Reader {
    from: BufReader<File>,
    hash: Sha256,
    at: u64,
}

impl Reader {
    /// The next line, and the hash of all before it; `None` at the end of the file.
    fn line(&mut self) -> anyhow::Result<Option<(Line, Sha256)>> {
        let before = self.hash.clone();
        let mut text = Vec::new();
        self.from.read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        self.hash.update(&text);
        self.at += text.len() as u64;
        Ok(Some((serde_json::from_slice(&text)?, before)))
    }

    fn skip(&mut self, bytes: u64) -> anyhow::Result<()> {
        let mut left = bytes;
        let mut chunk = vec![0; 64 << 10];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(chunk.len()).min(chunk.len());
            let read = self.from.read(chunk.get_mut(..most).unwrap_or_default())?;
            ensure!(read > 0, "it ends too early");
            self.hash.update(chunk.get(..read).unwrap_or_default());
            left -= read as u64;
            self.at += read as u64;
        }
        Ok(())
    }
}

/// Reads one component of a backup.
///
/// # Errors
/// The file cannot be read.
pub fn read_image(path: &Path, (offset, bytes): (u64, u64)) -> anyhow::Result<Bytes> {
    ensure!(bytes <= IMAGE_BYTES_MAX as u64, "a component of {bytes} bytes is too large");
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut image = Vec::new();
    file.take(bytes).read_to_end(&mut image)?;
    Ok(image.into())
}
