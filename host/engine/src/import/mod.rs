//! What a component calls: every import that the engine does not serve itself leads through a link.
//!
//! Such an import is given functions that carry the call to wherever the links of the call being served point
//! ([`function`]). The functions of a link know the interface only; who serves it is looked up when they are called.

mod function;

use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{Functions, World};

use self::function::{Linked, add_direct, add_val};
use crate::codec::shape::{Resources, shape};
use crate::codec::val::Numbers;
use crate::config::Codec;
use crate::home;
use crate::instance::Guest;
use crate::load_error::LoadError;
use crate::tokens::Held;
use crate::wasi;

/// What was found among a component's imports.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// The interfaces that lead through links.
    pub(crate) links: Vec<InterfaceName>,
    /// The resources that they define.
    pub(crate) resources: Resources,
    /// The same by name.
    pub(crate) numbers: Arc<Numbers>,
}

/// Gives `linker` a function for each import of `component` that leads through a link.
pub(crate) fn add_links(
    linker: &mut Linker<Guest>,
    component: &Component,
    world: &World,
    codec: Codec,
) -> Result<Imports, LoadError> {
    let mut imports = Imports::default();
    let ty = component.component_type();
    let mut linked = Vec::new();
    for (name, item) in ty.imports(component.engine()) {
        let interface: InterfaceName = name.parse().map_err(|_| nameless(name))?;
        if wasi::is_served(&interface) {
            if wasi::needs_link(&interface) {
                imports.links.push(interface);
            }
            continue;
        }
        let ComponentItem::ComponentInstance(items) = item.ty else { return Err(nameless(name)) };
        let mut instance = linker.instance(name).map_err(link_error)?;
        add_resources(&mut instance, component, (&interface, &items), &mut imports)
            .map_err(link_error)?;
        linked.push((interface, items));
    }
    for (interface, items) in linked {
        let functions = world.imports.get(&interface);
        let mut instance = linker.instance(&interface.to_string()).map_err(link_error)?;
        let added = Adding { interface: &interface, functions, imports: &imports, codec }.add(
            &mut instance,
            component,
            &items,
        )?;
        if added > 0 {
            imports.links.push(interface);
        }
    }
    Ok(imports)
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link(error.into())
}

fn nameless(name: &str) -> LoadError {
    LoadError::Unsupported(format!(
        "it imports `{name}`; links lead to named interfaces only (namespace:package/interface)"
    ))
}

fn add_resources(
    instance: &mut LinkerInstance<'_, Guest>,
    component: &Component,
    (interface, items): (&InterfaceName, &ComponentInstance),
    imports: &mut Imports,
) -> wasmtime::Result<()> {
    for (name, item) in items.exports(component.engine()) {
        let ComponentItem::Resource(resource) = item.ty else { continue };
        let known = imports.resources.len();
        let number = imports.resources.number(resource)?;
        if number == known {
            let key = (interface.key(), name.to_owned());
            Arc::make_mut(&mut imports.numbers).insert(key, number);
        }
        // Dropping a stateless handle concerns nobody but the guest; of a pinned one its owner is told, and has forgotten
        // it when the guest goes on.
        instance.resource_async(
            name,
            ResourceType::host_dynamic(number),
            |mut store, number| {
                Box::new(async move {
                    if let Held::Pinned(handle, home) = store.data_mut().tokens.remove(number)? {
                        home::release(handle, &home).await;
                    }
                    Ok(())
                })
            },
        )?;
    }
    Ok(())
}

/// Adds the functions of one interface.
struct Adding<'a> {
    interface: &'a InterfaceName,
    functions: Option<&'a Functions>,
    imports: &'a Imports,
    codec: Codec,
}

impl Adding<'_> {
    fn add(
        &self,
        instance: &mut LinkerInstance<'_, Guest>,
        component: &Component,
        items: &ComponentInstance,
    ) -> Result<usize, LoadError> {
        let mut added = 0;
        for (name, item) in items.exports(component.engine()) {
            let ComponentItem::ComponentFunc(function) = item.ty else { continue };
            self.function(instance, name, &function)?;
            added += 1;
        }
        Ok(added)
    }

    fn function(
        &self,
        instance: &mut LinkerInstance<'_, Guest>,
        name: &str,
        function: &ComponentFunc,
    ) -> Result<(), LoadError> {
        let interface = self.interface;
        let unsupported = |why| LoadError::Unsupported(format!("{interface}.{name}: {why}"));
        let shape = shape(function, &self.imports.resources).map_err(unsupported)?;
        let ty = self.functions.and_then(|functions| functions.get(name));
        let ty = ty.ok_or_else(|| unsupported("its type is not known".to_owned()))?;
        let linked = Arc::new(Linked::new(interface.key(), name, ty));
        match self.codec {
            Codec::Direct => add_direct(instance, name, linked, shape),
            Codec::Val => {
                add_val(instance, name, linked, (ty.clone(), Arc::clone(&self.imports.numbers)))
            }
        }
        .map_err(link_error)
    }
}
