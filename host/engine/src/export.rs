//! What is called in a component: finds the function, compares signatures, and knows how to call it.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Accessor, Component, ComponentExportIndex, Func};
use wicker_lattice::call::{Call, CallError, Status};
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::types::{FunctionType, TypeHash, World};

use crate::codec::shape::{Shape, shape};
use crate::codec::val::Numbers;
use crate::codec::{Payload, direct, val};
use crate::config::Codec;
use crate::import::Imports;
use crate::instance::{Guest, Live};

/// The functions that a component serves, found once.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    functions: HashMap<InterfaceKey, HashMap<String, Export>>,
}

/// One function that a component serves.
#[derive(Debug)]
pub(crate) struct Export {
    index: ComponentExportIndex,
    hash: TypeHash,
    /// How to call it, or why it cannot be called over a link.
    plan: Result<Arc<Plan>, String>,
}

/// How to call a function.
#[derive(Debug)]
pub(crate) struct Plan {
    shape: Shape,
    codec: Codec,
    ty: FunctionType,
    numbers: Arc<Numbers>,
}

impl Exports {
    pub(crate) fn find(
        component: &Component,
        world: &World,
        imports: &Imports,
        codec: Codec,
    ) -> Self {
        let mut exports = Self::default();
        for (name, item) in component.component_type().exports(component.engine()) {
            // What has no such name was meant for somebody else: `init`, or an instance called `exports`.
            let Ok(interface) = name.parse::<InterfaceName>() else { continue };
            let (ComponentItem::ComponentInstance(items), Some(types)) =
                (item.ty, world.exports.get(&interface))
            else {
                continue;
            };
            let Some(parent) = component.get_export_index(None, name) else { continue };
            let functions = exports.functions.entry(interface.key()).or_default();
            for (name, item) in items.exports(component.engine()) {
                let ComponentItem::ComponentFunc(function) = item.ty else { continue };
                let (Some(index), Some(ty)) =
                    (component.get_export_index(Some(&parent), name), types.get(name))
                else {
                    continue;
                };
                let plan = shape(&function, &imports.resources).map(|shape| {
                    let numbers = Arc::clone(&imports.numbers);
                    Arc::new(Plan { shape, codec, ty: ty.clone(), numbers })
                });
                functions.insert(name.to_owned(), Export { index, hash: ty.hash(), plan });
            }
        }
        exports
    }

    /// The function that `call` is for.
    pub(crate) fn get(&self, call: &Call) -> Result<(&Export, Arc<Plan>), CallError> {
        let Call { target, interface, function, .. } = call;
        let Some(functions) = self.functions.get(interface) else {
            let message = format!("{target} does not export {interface}");
            return Err(CallError::new(Status::NotFound, message));
        };
        let Some(export) = functions.get(&**function) else {
            let message = format!("{interface} of {target} has no function {function}");
            return Err(CallError::new(Status::NotFound, message));
        };
        if export.hash != call.type_hash {
            let message = format!(
                "{interface}.{function} of {target} has type {}, called as {}",
                export.hash, call.type_hash
            );
            return Err(CallError::new(Status::TypeMismatch, message));
        }
        match &export.plan {
            Ok(plan) => Ok((export, Arc::clone(plan))),
            Err(why) => {
                let message = format!("{interface}.{function} of {target}: {why}");
                Err(CallError::new(Status::Unsupported, message))
            }
        }
    }
}

impl Export {
    /// The function in an instance.
    pub(crate) fn function(&self, live: &mut Live) -> Result<Func, CallError> {
        let function = live.instance.get_func(&mut live.store, self.index);
        function.ok_or_else(|| CallError::new(Status::NotFound, "the function is gone"))
    }
}

impl Plan {
    /// Whether streams cross: then the instance must run on after the reply.
    pub(crate) fn has_streams(&self) -> bool {
        self.shape.has_streams
    }

    /// Calls `function`.
    pub(crate) async fn call(
        &self,
        live: &mut Live,
        function: Func,
        params: Payload,
    ) -> wasmtime::Result<Payload> {
        let store = &mut live.store;
        match self.codec {
            Codec::Direct => direct::call(store, function, self.shape.results_flat, params).await,
            Codec::Val => val::call(store, function, (&self.ty, &self.numbers), params).await,
        }
    }

    /// [`Plan::call`] while the store runs other tasks too.
    pub(crate) async fn call_concurrent(
        &self,
        accessor: &Accessor<Guest>,
        function: Func,
        params: Payload,
    ) -> wasmtime::Result<Payload> {
        match self.codec {
            Codec::Direct => {
                direct::call_concurrent(accessor, function, self.shape.results_flat, params).await
            }
            Codec::Val => {
                val::call_concurrent(accessor, function, (&self.ty, &self.numbers), params).await
            }
        }
    }
}
