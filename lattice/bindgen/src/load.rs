//! Reads WIT and finds the interfaces that were asked for, with those that they take types from.

use std::path::{Path, PathBuf};

use syn::LitStr;
use wit_parser::{InterfaceId, Resolve};

use crate::input::{Input, Source};

/// WIT, read, and what of it is wanted.
pub(crate) struct Loaded {
    pub(crate) resolve: Resolve,
    /// In the order in which they may use each other.
    pub(crate) interfaces: Vec<InterfaceId>,
    /// What was read, so that the crate is built again when it changes.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) fn load(input: &Input) -> syn::Result<Loaded> {
    let (resolve, files) = match &input.source {
        Source::Path(path) => read(path)?,
        Source::Inline(text) => {
            let mut resolve = Resolve::default();
            let pushed = resolve.push_source("inline.wit", &text.value());
            pushed.map_err(|error| syn::Error::new(text.span(), format!("{error:#}")))?;
            (resolve, Vec::new())
        }
    };
    let mut interfaces = Vec::new();
    for name in &input.interfaces {
        with_dependencies(&resolve, find(&resolve, name)?, &mut interfaces);
    }
    Ok(Loaded { resolve, interfaces, files })
}

fn read(path: &LitStr) -> syn::Result<(Resolve, Vec<PathBuf>)> {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let full = Path::new(&root).join(path.value());
    let mut resolve = Resolve::default();
    let (_, sources) = resolve.push_path(&full).map_err(|error| {
        syn::Error::new(path.span(), format!("cannot read WIT at {}: {error:#}", full.display()))
    })?;
    let files = sources.paths().map(Path::to_owned).collect();
    Ok((resolve, files))
}

fn find(resolve: &Resolve, name: &LitStr) -> syn::Result<InterfaceId> {
    let wanted = name.value();
    let mut known: Vec<String> = Vec::new();
    for (id, _) in &resolve.interfaces {
        let Some(found) = resolve.id_of(id) else { continue };
        if found == wanted {
            return Ok(id);
        }
        known.push(found);
    }
    let message =
        format!("there is no interface `{wanted}` in this WIT; there are: {}", known.join(", "));
    Err(syn::Error::new(name.span(), message))
}

/// Adds `interface` after everything that it takes types from.
fn with_dependencies(resolve: &Resolve, interface: InterfaceId, into: &mut Vec<InterfaceId>) {
    if into.contains(&interface) {
        return;
    }
    for dependency in resolve.interface_direct_deps(interface) {
        with_dependencies(resolve, dependency, into);
    }
    into.push(interface);
}
