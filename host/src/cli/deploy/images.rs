//! The files of components: read once, their worlds found, uploaded where the lattice has them not.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use bytes::Bytes;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::Types;
use wicker_lattice::store::{StoreError, digest};
use wicker_reconciler::manifest::Manifest;
use wicker_reconciler::validate::{Desired, Image};

use super::folder;
use crate::cli::session::Session;

/// The components of some manifests.
#[derive(Debug, Default)]
pub(in crate::cli) struct Images {
    facts: BTreeMap<ObjectId, Result<Image, String>>,
    /// By digest.
    bytes: HashMap<String, Bytes>,
}

impl Images {
    /// Reads every file that the manifests name. What cannot be read is kept as the reason.
    pub(in crate::cli) async fn read(manifests: &[Manifest]) -> Self {
        let mut images = Self::default();
        for manifest in manifests {
            for component in &manifest.components {
                let Some(id) = manifest.id(&component.name.value) else { continue };
                let path = folder(manifest, component.image.span).join(&component.image.value);
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                let read = read.unwrap_or_else(|_| Err("reading it failed".to_owned()));
                let image = read.map(|(image, bytes)| {
                    images.bytes.insert(image.digest.clone(), bytes);
                    image
                });
                images.facts.insert(id, image);
            }
        }
        images
    }

    /// For validation.
    pub(super) fn facts(&self) -> &BTreeMap<ObjectId, Result<Image, String>> {
        &self.facts
    }

    /// Puts the bytes and types of an application's components into the lattice, where they are not there yet.
    pub(super) async fn upload(&self, session: &Session, desired: &Desired) -> anyhow::Result<()> {
        for component in &desired.components {
            let image = self.facts.get(&component.id).and_then(|image| image.as_ref().ok());
            let (Some(image), Some(bytes)) = (image, self.bytes.get(&component.digest)) else {
                continue;
            };
            let uploaded = session.store.put_image(bytes).await;
            uploaded.with_context(|| format!("cannot upload the file of {}", component.id))?;
            let types = Types { digest: image.digest.clone(), world: image.world.clone() };
            match session.store.create(&types).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn read(path: &std::path::Path) -> Result<(Image, Bytes), String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    })?;
    let world = wicker_engine::world_of(&bytes)
        .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    Ok((Image { digest: digest(&bytes), world }, bytes.into()))
}
