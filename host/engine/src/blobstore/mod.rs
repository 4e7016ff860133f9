//! `wasi:blobstore`, whose streams are those of WASI 0.2, over a link to `wicker:blobstore`, whose streams cross hosts.
//!
//! A value that a guest writes goes through a [`pipe`] into one call of `put`; a value that it reads is the stream that
//! came with the result of one call of `get`. Whoever is slower sets the pace, and a value that is dropped early, or goes
//! with its instance, stops the other side. Nothing here holds a whole value, but where the draft asks for it: before
//! `write-data` said where it goes, and for `incoming-value-consume-sync`, both up to [`HELD_BYTES_MAX`].
//!
//! Read on in: [`wire`] (the calls), [`outgoing`] and [`incoming`] (values), [`container`] (everything else).

#![allow(unreachable_pub, reason = "what bindgen names it exports, from a module that is private")]

mod container;
mod incoming;
mod outgoing;
mod pipe;
mod wire;

use wasmtime::component::{HasSelf, Linker};

use crate::instance::Guest;

/// Of one value, what is held in memory at most where it must be: as much as one call may carry without streams.
const HELD_BYTES_MAX: usize = wicker_lattice::call::VALUE_BYTES_MAX;

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "written by bindgen"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/wasi-0.2",
        inline: "
            package wicker:engine;
            world blobs {
                import wasi:blobstore/blobstore@0.2.0-draft;
                import wasi:blobstore/container@0.2.0-draft;
                import wasi:blobstore/types@0.2.0-draft;
            }
        ",
        world: "wicker:engine/blobs",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:blobstore/types.outgoing-value": super::outgoing::OutgoingValue,
            "wasi:blobstore/types.incoming-value": super::incoming::IncomingValue,
            "wasi:blobstore/container.container": super::container::Container,
            "wasi:blobstore/container.stream-object-names": super::container::Names,
        },
    });
}

use bindings::wasi::blobstore as wasi;

/// What the guest is told: for people.
type Answer<T> = wasmtime::Result<Result<T, String>>;

/// Adds the three interfaces of `wasi:blobstore@0.2.0-draft`.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::types::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::container::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::blobstore::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}
