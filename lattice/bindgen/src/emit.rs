//! Writes what [`crate::plan`] decided: for each interface its types, its trait, the table that serves it, and a client.

mod define;
mod functions;

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::quote;

use crate::load::Loaded;
use crate::names;
use crate::plan::Module;
use crate::shape::{Resource, Shape};

/// Where a type is written, which says what stands for the resources in it.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In its definition: a parameter named after the resource.
    Definition,
    /// Where somebody implements the trait: `Self`, or `L`.
    Implementor(&'a TokenStream),
    /// In a client: `Handle`.
    Client,
}

pub(crate) fn emit(loaded: &Loaded, modules: &[Module]) -> TokenStream {
    let modules = modules.iter().map(|each| module(loaded, each));
    let watched = loaded.files.iter().map(|file: &PathBuf| {
        let path = file.display().to_string();
        quote!(
            const _: &[u8] = include_bytes!(#path);
        )
    });
    quote!(#(#watched)* #(#modules)*)
}

fn module(loaded: &Loaded, module: &Module) -> TokenStream {
    let ident = names::snake(&module.name.interface);
    let full = module.name.to_string();
    let docs = docs(module.docs.as_deref());
    let title = format!(" `{full}`.");
    let gap = module.docs.as_ref().map(|_| quote!(#[doc = ""]));
    let types = module.types.iter().map(|ty| define::definition(&loaded.resolve, module, *ty));
    let (constructors, served) = (functions::client(module), functions::serve(module));
    let contract = functions::contract(module);
    quote! {
        #[doc = #title]
        #gap
        #(#docs)*
        #[allow(missing_docs, unused_imports, clippy::all, clippy::pedantic, reason = "the WIT says what things mean")]
        pub mod #ident {
            use ::wicker_provider::codegen;

            /// The interface's full name.
            #[must_use]
            pub fn name() -> codegen::InterfaceName {
                codegen::name(#full)
            }

            #(#types)*
            #contract
            #served
            #constructors
        }
    }
}

/// WIT documentation as attributes.
pub(crate) fn docs(text: Option<&str>) -> Vec<TokenStream> {
    let lines = text.unwrap_or_default().lines();
    lines
        .map(|line| {
            let line = format!(" {}", line.trim_end());
            quote!(#[doc = #line])
        })
        .collect()
}

/// The Rust type that `shape` is, written at `place`.
pub(crate) fn rust_type(shape: &Shape, place: Place<'_>) -> TokenStream {
    let inner = |shape: &Shape| rust_type(shape, place);
    let unit_or = |shape: &Option<Box<Shape>>| {
        shape.as_ref().map_or_else(|| quote!(()), |shape| inner(shape))
    };
    match shape {
        Shape::Plain(path) => {
            let ident = quote::format_ident!("{path}");
            quote!(#ident)
        }
        Shape::Bytes => quote!(codegen::Bytes),
        Shape::Stream => quote!(codegen::Stream),
        Shape::List(element) => {
            let element = inner(element);
            quote!(Vec<#element>)
        }
        Shape::Option(some) => {
            let some = inner(some);
            quote!(Option<#some>)
        }
        Shape::Result(ok, err) => {
            let (ok, err) = (unit_or(ok), unit_or(err));
            quote!(Result<#ok, #err>)
        }
        Shape::Tuple(elements) => {
            let elements = elements.iter().map(inner);
            quote!((#(#elements,)*))
        }
        Shape::Named(name, resources) => {
            let name = names::upper(name);
            let resources: Vec<TokenStream> =
                resources.iter().map(|each| resource(each, place)).collect();
            if resources.is_empty() { quote!(#name) } else { quote!(#name<#(#resources),*>) }
        }
        Shape::Own(owned) => {
            let owned = resource(owned, place);
            quote!(codegen::Own<#owned>)
        }
        Shape::Borrow(borrowed) => {
            let borrowed = resource(borrowed, place);
            quote!(&#borrowed)
        }
    }
}

/// What stands for a resource at `place`.
pub(crate) fn resource(resource: &Resource, place: Place<'_>) -> TokenStream {
    let name = names::upper(&resource.name);
    match place {
        Place::Definition => quote!(#name),
        Place::Implementor(implementor) => quote!(#implementor::#name),
        Place::Client => quote!(codegen::Handle),
    }
}
