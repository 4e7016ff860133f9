//! The functions of an interface, three times: as a trait, as the table that serves it, and as a client.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{Place, docs, resource, rust_type};
use crate::names;
use crate::plan::{Module, Planned};
use crate::shape::Shape;

fn has_contract(module: &Module) -> bool {
    !module.functions.is_empty() || !module.resources.is_empty()
}

/// The trait that a link implements.
pub(crate) fn contract(module: &Module) -> TokenStream {
    if !has_contract(module) {
        return quote!();
    }
    let ident = names::upper(&module.name.interface);
    let about = docs(module.docs.as_deref());
    let mut supers: Vec<&str> = module.supers.iter().map(|used| used.interface.as_str()).collect();
    supers.dedup();
    let supers = supers.into_iter().map(|used| {
        let (module, contract) = (names::snake(used), names::upper(used));
        quote!(super::#module::#contract +)
    });
    let resources = module.resources.iter().map(|each| {
        let (name, says) =
            (names::upper(&each.name), format!(" What a `{}` handle says.", each.name));
        quote!(#[doc = #says] type #name: codegen::Resource;)
    });
    let methods = module.functions.iter().map(method);
    quote! {
        #(#about)*
        pub trait #ident: #(#supers)* Send + Sync + 'static {
            #(#resources)*
            #(#methods)*
        }
    }
}

fn method(function: &Planned) -> TokenStream {
    let implementor = quote!(Self);
    let place = Place::Implementor(&implementor);
    let (name, about) = (names::function(&function.abi_name), docs(function.docs.as_deref()));
    let params = function.params.iter().map(|(name, shape)| {
        let (name, ty) = (param_name(name), param_type(shape, place));
        quote!(#name: #ty)
    });
    let result = result_type(function, place);
    quote! {
        #(#about)*
        fn #name(&self, #(#params),*) -> impl Future<Output = #result> + Send;
    }
}

/// A parameter that is a handle is passed as what it says, without `Own`.
fn param_type(shape: &Shape, place: Place<'_>) -> TokenStream {
    match shape {
        Shape::Own(owned) => resource(owned, place),
        other => rust_type(other, place),
    }
}

/// A method's receiver is called `self` in WIT, and is a parameter like others here.
fn param_name(name: &str) -> Ident {
    if name == "self" { format_ident!("this") } else { names::snake(name) }
}

fn result_type(function: &Planned, place: Place<'_>) -> TokenStream {
    function.result.as_ref().map_or_else(|| quote!(()), |shape| rust_type(shape, place))
}

/// `serve()`: the interface as a table of functions.
pub(crate) fn serve(module: &Module) -> TokenStream {
    if module.functions.is_empty() {
        return quote!();
    }
    let contract = names::upper(&module.name.interface);
    let entries = module.functions.iter().map(|function| entry(&contract, function));
    quote! {
        /// The interface, served by `L`.
        #[must_use]
        pub fn serve<L: #contract>() -> ::wicker_provider::Interface<L> {
            ::wicker_provider::Interface::new(name()) #(#entries)*
        }
    }
}

fn entry(contract: &Ident, function: &Planned) -> TokenStream {
    let implementor = quote!(L);
    let place = Place::Implementor(&implementor);
    let (abi_name, name) = (&function.abi_name, names::function(&function.abi_name));
    let ty = type_text(function);
    let params: Vec<Ident> = (0..function.params.len()).map(|at| format_ident!("p{at}")).collect();
    let types = function.params.iter().map(|(_, shape)| match shape {
        Shape::Own(owned) => {
            let owned = resource(owned, place);
            quote!(codegen::Own<#owned>)
        }
        Shape::Borrow(borrowed) => {
            let borrowed = resource(borrowed, place);
            quote!(codegen::Lent<#borrowed>)
        }
        other => rust_type(other, place),
    });
    let arguments = function.params.iter().zip(&params).map(|((_, shape), param)| match shape {
        Shape::Own(_) => quote!(#param.0),
        Shape::Borrow(_) => quote!(&#param.0),
        _ => quote!(#param),
    });
    quote! {
        .function(#abi_name, codegen::function_type(#ty), |link, mut call| Box::pin(async move {
            let mut reader = codegen::params(&mut call)?;
            #(let #params: #types = codegen::param(&mut reader)?;)*
            codegen::end(reader)?;
            let result = <L as #contract>::#name(&link, #(#arguments),*).await;
            Ok(codegen::answer(&result))
        }))
    }
}

/// A function's type, as the code that is written reads it.
fn type_text(function: &Planned) -> String {
    serde_json::to_string(&function.ty).unwrap_or_default()
}

/// The calling side.
pub(crate) fn client(module: &Module) -> TokenStream {
    if module.functions.is_empty() {
        return quote!();
    }
    let methods = module.functions.iter().map(client_method);
    let types = module.functions.iter().map(|function| {
        let (abi_name, ty) = (&function.abi_name, type_text(function));
        quote!(.function(#abi_name, codegen::function_type(#ty)))
    });
    quote! {
        /// The interface, as one that a provider calls.
        #[must_use]
        pub fn import() -> ::wicker_provider::interface::Import {
            ::wicker_provider::interface::Import::new(name()) #(#types)*
        }

        /// Calls the interface over a link.
        #[derive(Debug, Clone)]
        pub struct Client {
            client: ::wicker_provider::Client,
            interface: codegen::InterfaceKey,
        }

        impl Client {
            /// Calls by way of `client`.
            #[must_use]
            pub fn new(client: ::wicker_provider::Client) -> Self {
                Self { client, interface: name().key() }
            }

            #(#methods)*
        }
    }
}

fn client_method(function: &Planned) -> TokenStream {
    let (abi_name, name) = (&function.abi_name, names::function(&function.abi_name));
    let about = docs(function.docs.as_deref());
    let idents: Vec<Ident> = function.params.iter().map(|(name, _)| param_name(name)).collect();
    let params = function.params.iter().zip(&idents).map(|((_, shape), name)| {
        let ty = param_type(shape, Place::Client);
        quote!(#name: #ty)
    });
    let result = result_type(function, Place::Client);
    let hash = function.ty.hash().0;
    quote! {
        #(#about)*
        pub async fn #name(&self, #(#params),*) -> Result<#result, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            #(codegen::Encode::encode(&#idents, &mut writer);)*
            let callee = codegen::Callee {
                interface: &self.interface,
                function: #abi_name,
                type_hash: codegen::TypeHash([#(#hash),*]),
            };
            self.client.call(callee, writer).await
        }
    }
}
