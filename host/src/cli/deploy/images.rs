//! The components that manifests name: fetched once, from wherever they are, their worlds found, uploaded where the lattice
//! has them not.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use bytes::Bytes;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Component, Types};
use wicker_lattice::store::{StoreError, digest, key};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::manifest::Manifest;
use wicker_reconciler::validate::{Desired, Image};

use super::folder;
use crate::cli::out;
use crate::cli::session::Session;
use crate::image::Origin;

/// The components of some manifests.
#[derive(Debug, Default)]
pub(in crate::cli) struct Images {
    facts: BTreeMap<ObjectId, Result<Image, String>>,
    /// By digest.
    bytes: HashMap<String, Bytes>,
    /// Those that are not files of this machine: where they came from.
    fetched: BTreeMap<ObjectId, Origin>,
}

impl Images {
    /// Fetches everything that the manifests name, each address once. What cannot be had is kept as the reason.
    pub(in crate::cli) async fn read(manifests: &[Manifest]) -> Self {
        let mut images = Self::default();
        let mut read = HashMap::new();
        for manifest in manifests {
            for component in &manifest.components {
                let Some(id) = manifest.id(&component.name.value) else { continue };
                let folder = folder(manifest, component.image.span);
                let image = match Origin::parse(&component.image.value, folder) {
                    Ok(origin) => {
                        let key = origin.to_string();
                        if !read.contains_key(&key) {
                            let image = images.fetch(&origin).await;
                            read.insert(key.clone(), image);
                        }
                        if !origin.is_file() {
                            images.fetched.insert(id.clone(), origin);
                        }
                        read.get(&key).cloned().unwrap_or_else(|| Err("it is lost".to_owned()))
                    }
                    Err(why) => Err(why),
                };
                images.facts.insert(id, image);
            }
        }
        images
    }

    async fn fetch(&mut self, origin: &Origin) -> Result<Image, String> {
        if !origin.is_file() {
            out::note(&format!("fetching {origin}"));
        }
        let bytes = origin.fetch().await?;
        let content = bytes.clone();
        let read = tokio::task::spawn_blocking(move || describe(&content)).await;
        let image = read.unwrap_or_else(|_| Err("reading it failed".to_owned()))?;
        self.bytes.insert(image.digest.clone(), bytes);
        Ok(image)
    }

    /// What the addresses mean by now, for people: a tag may mean something else than at the last deployment.
    pub(super) fn notes(&self, desired: &Desired, inventory: &Inventory) -> Vec<String> {
        let note = |component: &Component| {
            let origin = self.fetched.get(&component.id)?;
            let now = &component.digest;
            let before = inventory
                .components
                .get(&key::component(&component.id))
                .map(|stored| &stored.record.digest);
            Some(match before {
                Some(before) if before == now => format!("{origin} is {now}, as before"),
                Some(before) => format!("{origin} is {now} by now; it was {before}"),
                None => format!("{origin} is {now}"),
            })
        };
        desired.components.iter().filter_map(note).collect()
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

fn describe(bytes: &[u8]) -> Result<Image, String> {
    let world = wicker_engine::world_of(bytes)
        .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    Ok(Image { digest: digest(bytes), world })
}
