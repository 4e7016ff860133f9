//! Bare files on the command line of `wicker up`: a `.wasm` becomes a component named after it, for as long as its host
//! runs.
//!
//! `plan` decides, pure, which links such components get; [`Bare`] reads the files, writes their records, and removes
//! them when the host leaves. Links stay: whoever re-pointed one finds it again.

mod plan;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures::future::join_all;
use tokio::time::timeout;
use wicker_lattice::call::Status;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{
    Component, Link, ObjectKind, Placement, Provider, Route, RunState, Running, Sharing, Spread,
    Types,
};
use wicker_lattice::store::{self, Change, Record as _, StoreError, key};
use wicker_lattice::types::World;
use wicker_reconciler::known;
use wicker_reconciler::validate::shared_provider;

use self::plan::Peer;
use crate::member::Member;
use crate::provider::registry;

/// How long a host is asked whether it still lives.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a component may take to start: the largest compile for ten seconds, on a machine that does nothing else.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// The bare files of one host.
#[derive(Debug)]
pub struct Bare {
    member: Member,
    files: Vec<BareFile>,
}

/// One file, read.
#[derive(Debug)]
struct BareFile {
    path: PathBuf,
    id: ObjectId,
    image: Bytes,
    digest: String,
    world: Arc<World>,
}

impl BareFile {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let image =
            Bytes::from(std::fs::read(path).with_context(|| format!("cannot read {shown}"))?);
        let world =
            wicker_engine::world_of(&image).with_context(|| format!("cannot run {shown}"))?;
        let (id, digest) = (named_after(path)?, store::digest(&image));
        Ok(Self { path: path.to_owned(), id, image, digest, world: Arc::new(world) })
    }

    fn serves_http(&self) -> bool {
        self.world.exports.keys().any(known::is_http_export)
    }
}

/// `some/Where_3.wasm` is `where-3`, application and name in one.
fn named_after(path: &Path) -> anyhow::Result<ObjectId> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    ObjectId::bare(name.trim_matches('-'))
        .with_context(|| format!("{} names no component: rename the file", path.display()))
}

impl Bare {
    /// Reads the files; two that make the same name, or both want the listener, are refused.
    ///
    /// # Errors
    /// A file cannot be read or is no component, or two of them are in each other's way.
    pub fn read(member: Member, paths: &[PathBuf]) -> anyhow::Result<Self> {
        let files =
            paths.iter().map(|path| BareFile::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = files.iter().find(|file| !names.insert(&file.id)) {
            bail!("two files are called `{}`: rename one of them", twice.id.name());
        }
        let http: Vec<_> =
            files.iter().filter(|file| file.serves_http()).map(|file| file.id.name()).collect();
        if http.len() > 1 {
            bail!(
                "{} all serve HTTP, and bare files are routed at `/`: give them routes in a manifest",
                http.join(", ")
            );
        }
        Ok(Self { member, files })
    }

    /// Removes what an earlier life of this host left behind, having had no time to say goodbye.
    ///
    /// # Errors
    /// The lattice's state cannot be reached.
    pub async fn clear_leftovers(&self) -> Result<(), StoreError> {
        let (store, own) = (&self.member.store, self.member.process);
        for placement in store.list::<Placement>(&key::placements_on(own)).await? {
            let id = placement.record.object;
            let component = store.get::<Component>(&key::component(&id)).await?;
            let is_bare = component.is_some_and(|component| component.record.is_bare);
            if is_bare && !self.files.iter().any(|file| file.id == id) {
                remove(&self.member, &id).await?;
            }
        }
        Ok(())
    }

    /// Writes the records of every file, and returns when each runs here.
    ///
    /// # Errors
    /// Another host runs another file of the same name, a manifest owns the name, or a component does not start.
    pub async fn deploy(&self) -> anyhow::Result<()> {
        for file in &self.files {
            self.specify(file).await?;
        }
        self.link().await.context("cannot link the components")?;
        for file in &self.files {
            self.place(&file.id, ObjectKind::Component).await?;
            if file.serves_http() {
                self.member.store.put(&self.route(&file.id)).await?;
            }
        }
        for file in &self.files {
            timeout(READY_TIMEOUT, self.ready(file))
                .await
                .unwrap_or_else(|_| bail!("{} has not started after {READY_TIMEOUT:?}", file.id))?;
        }
        Ok(())
    }

    /// All components of these files.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.files.iter().map(|file| &file.id)
    }

    /// Removes the records of every file; a component's own goes with its last host.
    ///
    /// # Errors
    /// The lattice's state cannot be reached; the next start of this host clears up.
    pub async fn leave(&self) -> Result<(), StoreError> {
        for file in &self.files {
            remove(&self.member, &file.id).await?;
        }
        Ok(())
    }

    async fn specify(&self, file: &BareFile) -> anyhow::Result<()> {
        let (store, id) = (&self.member.store, &file.id);
        let key = key::component(id);
        let known = store.get::<Component>(&key).await?;
        if let Some(known) = &known {
            self.refuse_if_taken(file, &known.record).await?;
        }
        store.put_image(&file.image).await?;
        let types = Types { digest: file.digest.clone(), world: World::clone(&file.world) };
        match store.create(&types).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if known.is_some_and(|known| known.record.digest == file.digest) {
            return Ok(());
        }
        let component = Component {
            id: id.clone(),
            digest: file.digest.clone(),
            generation: 0,
            is_bare: true,
            limits: Default::default(),
            grants: Default::default(),
            warm: 0,
            idle_ms: None,
            secrets: Default::default(),
            config: Default::default(),
            spread: Spread::default(),
            rollout: Default::default(),
            ready: None,
            is_singleton: false,
        };
        store.modify(&key, |_| Some(component.clone())).await?;
        Ok(())
    }

    async fn refuse_if_taken(&self, file: &BareFile, known: &Component) -> anyhow::Result<()> {
        let shown = file.path.display();
        if !known.is_bare {
            bail!(
                "{} is the name of a deployed component: rename {shown}, or undeploy it",
                known.id
            );
        }
        if known.digest == file.digest {
            return Ok(());
        }
        let elsewhere = hosts_of(&self.member, &known.id).await?;
        let others = elsewhere.into_iter().filter(|host| *host != self.member.process);
        let alive =
            join_all(others.map(|host| self.is_alive(host))).await.into_iter().flatten().next();
        match alive {
            Some(host) => bail!(
                "host {host} runs another `{}`: rename {shown}, or stop that host",
                known.id.name()
            ),
            None => Ok(()),
        }
    }

    /// The host, if it answers.
    async fn is_alive(&self, host: ProcessId) -> Option<ProcessId> {
        let address = (self.member.lattice.as_str(), host);
        let nothing = serde_json::Value::Null;
        let answer = self
            .member
            .nats
            .query::<_, serde_json::Value>(address, "ping", &nothing, PING_TIMEOUT)
            .await;
        let is_gone = answer
            .is_err_and(|error| matches!(error.status, Status::Unavailable | Status::Deadline));
        (!is_gone).then_some(host)
    }

    /// Makes the links that are missing between bare components, and to the default providers.
    async fn link(&self) -> Result<(), StoreError> {
        let store = &self.member.store;
        let links: Vec<Link> =
            store.list::<Link>(&Link::all()).await?.into_iter().map(|entry| entry.record).collect();
        let peers = self.peers().await?;
        let wanted = plan::links(&peers, &links);
        for link in wanted {
            if let Some(builtin) = plan::default_of(&link) {
                self.provide(builtin).await?;
            }
            match store.create(&link).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // A link that stayed from an earlier life needs its default provider as much as a new one.
        let ours = links.iter().filter(|link| self.files.iter().any(|file| file.id == link.source));
        for builtin in ours.filter_map(plan::default_of).collect::<BTreeSet<_>>() {
            self.provide(builtin).await?;
        }
        Ok(())
    }

    /// Every bare component of the lattice, with those of this host as their files have them.
    async fn peers(&self) -> Result<Vec<Peer>, StoreError> {
        let own = self
            .files
            .iter()
            .map(|file| Peer { id: file.id.clone(), world: Arc::clone(&file.world) });
        let mut peers: Vec<Peer> = own.collect();
        for entry in self.member.store.list::<Component>(&Component::all()).await? {
            let component = entry.record;
            if !component.is_bare || peers.iter().any(|peer| peer.id == component.id) {
                continue;
            }
            if let Some(types) =
                self.member.store.get::<Types>(&key::types(&component.digest)).await?
            {
                peers.push(Peer { id: component.id, world: Arc::new(types.record.world) });
            }
        }
        Ok(peers)
    }

    /// Sees to it that the default provider `name` exists and, unless its data is elsewhere, runs here.
    async fn provide(&self, name: &str) -> Result<(), StoreError> {
        let Ok(id) = ObjectId::bare(name) else { return Ok(()) };
        let Some(provider) = shared_provider(&id, &registry::facts()) else {
            tracing::warn!("this wicker has no provider `{name}`");
            return Ok(());
        };
        let is_exclusive = provider.sharing == Sharing::Exclusive;
        let provider = Provider { owner: is_exclusive.then_some(self.member.process), ..provider };
        let claim = |current: Option<&Provider>| match current {
            None => Some(provider.clone()),
            Some(current) if current.sharing == Sharing::Exclusive && current.owner.is_none() => {
                Some(Provider { owner: Some(self.member.process), ..current.clone() })
            }
            Some(_) => None,
        };
        let entry = self.member.store.modify(&key::provider(&id), claim).await?;
        let owner = entry.and_then(|entry| entry.record.owner);
        if owner.is_none_or(|owner| owner == self.member.process) {
            self.place(&id, ObjectKind::Provider).await?;
        }
        Ok(())
    }

    async fn place(&self, id: &ObjectId, kind: ObjectKind) -> Result<(), StoreError> {
        let host = self.member.process;
        let placed = |current: Option<&Placement>| match current {
            Some(_) => None,
            None => Some(Placement { host, object: id.clone(), kind, generation: 0 }),
        };
        self.member.store.modify(&key::placement(host, id), placed).await.map(|_| ())
    }

    fn route(&self, id: &ObjectId) -> Route {
        Route {
            host: None,
            path: "/".to_owned(),
            target: id.clone(),
            claimed_by: format!("{}/{}", id.team(), id.application()),
            only_on: Some(self.member.process),
            split: Vec::new(),
        }
    }

    async fn ready(&self, file: &BareFile) -> anyhow::Result<()> {
        let mut status =
            self.member.store.watch::<Running>(&key::running(&file.id, self.member.process));
        loop {
            let Change::Put(entry) = status.next().await else { continue };
            let Running { incarnation, state, digest, reason, .. } = entry.record;
            if incarnation != self.member.incarnation {
                continue;
            }
            if state == RunState::Failed {
                bail!("cannot run {}: {}", file.path.display(), reason.unwrap_or_default());
            }
            if state.takes_calls() && digest.as_ref() == Some(&file.digest) {
                return Ok(());
            }
        }
    }
}

/// The hosts on which `id` is placed.
async fn hosts_of(member: &Member, id: &ObjectId) -> Result<Vec<ProcessId>, StoreError> {
    let filter = format!("{}.*.{}", Placement::KIND, id.to_token());
    let placements = member.store.list::<Placement>(&filter).await?;
    Ok(placements.into_iter().map(|placement| placement.record.host).collect())
}

/// Takes a bare component off this host, and out of the lattice if no other host has it.
async fn remove(member: &Member, id: &ObjectId) -> Result<(), StoreError> {
    let (store, own) = (&member.store, member.process);
    store.delete::<Route>(&key::route(None, "/", Some(own))).await?;
    store.delete::<Placement>(&key::placement(own, id)).await?;
    if hosts_of(member, id).await?.is_empty() {
        store.delete::<Component>(&key::component(id)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_is_named_after_its_file() {
        for (path, name) in
            [("hello.wasm", "hello"), ("a/My_App 2.wasm", "my-app-2"), ("_x_.wasm", "x")]
        {
            assert_eq!(named_after(Path::new(path)).unwrap().name(), name);
        }
        assert!(named_after(Path::new("___.wasm")).is_err());
    }
}
