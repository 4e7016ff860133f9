//! `wasi:config/store`: the values that the manifest gives to a component.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::instance::Guest;

/// The versions in use; a prerelease is compatible with itself only.
const VERSIONS: [&str; 2] = ["0.2.0-draft", "0.2.0-rc.1"];

/// Why a value could not be read. Never made: the values are in memory.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for version in VERSIONS {
        let mut store = linker.instance(&format!("wasi:config/store@{version}"))?;
        store.func_wrap("get", |store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            let value = store.data().template().actor().config.get(&key).cloned();
            Ok((Ok::<_, Error>(value),))
        })?;
        store.func_wrap("get-all", |store: StoreContextMut<'_, Guest>, (): ()| {
            let values = store.data().template().actor().config.iter();
            let values: Vec<_> = values.map(|(key, value)| (key.clone(), value.clone())).collect();
            Ok((Ok::<_, Error>(values),))
        })?;
    }
    Ok(())
}
