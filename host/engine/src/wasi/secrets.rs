//! `wicker:secrets` and `wasmcloud:secrets`: what the manifest grants of its team's secrets, revealed when the guest asks.
//!
//! The host serves them itself, from memory: a value goes into the guest and nowhere else. A handle of ours names the
//! secret, so that a guest which lives on sees what was rotated; one of wasmCloud's holds what it was when it was got,
//! because its `reveal` cannot fail.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};
use wicker_lattice::secret::{Secret, SecretError, SecretId};

use crate::instance::Guest;

const WICKER: &str = "wicker:secrets/store@0.1.0";
const WASMCLOUD_STORE: &str = "wasmcloud:secrets/store@0.1.0-draft";
const WASMCLOUD_REVEAL: &str = "wasmcloud:secrets/reveal@0.1.0-draft";

/// A secret that a guest has a handle of.
struct Granted(SecretId);

/// A secret whose value is held for a guest.
struct Got(Secret);

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "not-found")]
    NotFound,
    #[component(name = "unavailable")]
    Unavailable(String),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum SecretsError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
    #[component(name = "not-found")]
    NotFound,
}

#[derive(Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum SecretValue {
    #[component(name = "string")]
    String(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Unknown(_) => Self::NotFound,
            SecretError::Unreadable { cause, .. } => Self::Unavailable(cause),
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_wicker(linker)?;
    add_wasmcloud(linker)
}

fn add_wicker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut store = linker.instance(WICKER)?;
    let forget = |mut store: StoreContextMut<'_, Guest>, rep: u32| {
        store.data_mut().wasi.table().delete(Resource::<Granted>::new_own(rep))?;
        Ok(())
    };
    store.resource("secret", ResourceType::host::<Granted>(), forget)?;
    store.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (name,): (String,)| {
        let id = store.data().template().actor().secrets.granted(&name).cloned();
        let got = match id {
            Some(id) => Ok(store.data_mut().wasi.table().push(Granted(id))?),
            None => Err(Error::NotGranted),
        };
        Ok((got,))
    })?;
    store.func_wrap("[method]secret.reveal", |mut store, (handle,): (Resource<Granted>,)| {
        Ok((reveal(&mut store, &handle)?.map(|secret| secret.reveal().to_vec()),))
    })?;
    store.func_wrap("[method]secret.reveal-text", |mut store, (handle,): (Resource<Granted>,)| {
        let text = reveal(&mut store, &handle)?.and_then(|secret| {
            let text = secret.reveal_text().map(str::to_owned);
            text.ok_or_else(|| Error::Unavailable("it is no text".to_owned()))
        });
        Ok((text,))
    })
}

fn reveal(
    store: &mut StoreContextMut<'_, Guest>,
    handle: &Resource<Granted>,
) -> wasmtime::Result<Result<Secret, Error>> {
    let id = store.data_mut().wasi.table().get(handle)?.0.clone();
    Ok(store.data().template().actor().secrets.source.find(&id).map_err(Error::from))
}

fn add_wasmcloud(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut store = linker.instance(WASMCLOUD_STORE)?;
    let forget = |mut store: StoreContextMut<'_, Guest>, rep: u32| {
        store.data_mut().wasi.table().delete(Resource::<Got>::new_own(rep))?;
        Ok(())
    };
    store.resource("secret", ResourceType::host::<Got>(), forget)?;
    store.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        let secrets = &store.data().template().actor().secrets;
        let found = secrets.granted(&key).map(|id| secrets.source.find(id));
        let got = match found {
            Some(Ok(secret)) => Ok(store.data_mut().wasi.table().push(Got(secret))?),
            None | Some(Err(SecretError::Unknown(_))) => Err(SecretsError::NotFound),
            Some(Err(SecretError::Unreadable { cause, .. })) => Err(SecretsError::Upstream(cause)),
        };
        Ok((got,))
    })?;
    let mut store = linker.instance(WASMCLOUD_REVEAL)?;
    store.func_wrap(
        "reveal",
        |mut store: StoreContextMut<'_, Guest>, (handle,): (Resource<Got>,)| {
            let secret = &store.data_mut().wasi.table().get(&handle)?.0;
            Ok((match secret.reveal_text() {
                Some(text) => SecretValue::String(text.to_owned()),
                None => SecretValue::Bytes(secret.reveal().to_vec()),
            },))
        },
    )
}
