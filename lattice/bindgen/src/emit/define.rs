//! Types with names: records, variants, enums, flags, aliases, and what is taken from other interfaces.

#![expect(clippy::indexing_slicing, reason = "the ids of a `Resolve` are valid in it")]

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use wit_parser::{Enum, Flags, Record, Resolve, TypeDefKind, TypeId, TypeOwner, Variant};

use super::{Place, docs, rust_type};
use crate::names;
use crate::plan::Module;
use crate::shape::{Scout, Shape};

pub(crate) fn definition(resolve: &Resolve, module: &Module, id: TypeId) -> TokenStream {
    let ty = &resolve.types[id];
    let scout = Scout { resolve, place: String::new() };
    let name = names::upper(ty.name.as_deref().unwrap_or_default());
    if let Some(reexport) = taken_from_elsewhere(resolve, module, id, &name) {
        return reexport;
    }
    let resources = scout.resources_in(id);
    let params: Vec<Ident> = resources.iter().map(|each| names::upper(&each.name)).collect();
    let derives =
        if scout.holds_stream(id) { quote!(Debug) } else { quote!(Debug, Clone, PartialEq) };
    let docs = docs(ty.docs.contents.as_deref());
    let writer = Definition { scout, name, params, derives, docs };
    match &ty.kind {
        TypeDefKind::Record(record) => writer.record(record),
        TypeDefKind::Variant(variant) => writer.variant(variant),
        TypeDefKind::Enum(cases) => writer.cases(cases),
        TypeDefKind::Flags(flags) => writer.flags(flags),
        _ => writer.alias(id),
    }
}

/// A `use` of a type that another interface defines.
fn taken_from_elsewhere(
    resolve: &Resolve,
    module: &Module,
    id: TypeId,
    name: &Ident,
) -> Option<TokenStream> {
    let TypeDefKind::Type(wit_parser::Type::Id(original)) = resolve.types[id].kind else {
        return None;
    };
    let TypeOwner::Interface(owner) = resolve.types[original].owner else { return None };
    if owner == module.id {
        return None;
    }
    let from = names::snake(resolve.interfaces[owner].name.as_deref()?);
    let original = names::upper(resolve.types[original].name.as_deref()?);
    Some(if original == *name {
        quote!(pub use super::#from::#original;)
    } else {
        quote!(pub use super::#from::#original as #name;)
    })
}

/// One definition being written.
struct Definition<'a> {
    scout: Scout<'a>,
    name: Ident,
    /// The resources that it holds, each a type parameter.
    params: Vec<Ident>,
    /// What a record or variant can do besides travel.
    derives: TokenStream,
    docs: Vec<TokenStream>,
}

impl Definition<'_> {
    /// `<Cas>`, or nothing.
    fn generics(&self) -> TokenStream {
        let params = &self.params;
        if params.is_empty() { quote!() } else { quote!(<#(#params),*>) }
    }

    fn field(&self, ty: &wit_parser::Type) -> TokenStream {
        // The plan has refused every type that has no shape.
        let shape = self.scout.shape(ty).unwrap_or(Shape::Tuple(Vec::new()));
        rust_type(&shape, Place::Definition)
    }

    /// `impl Encode` and `impl Decode` around their bodies.
    fn codec(&self, encode: &TokenStream, decode: &TokenStream) -> TokenStream {
        let (name, generics, params) = (&self.name, self.generics(), &self.params);
        let bounds =
            if params.is_empty() { quote!() } else { quote!(<#(#params: codegen::Resource),*>) };
        quote! {
            impl #bounds codegen::Encode for #name #generics {
                fn encode(&self, writer: &mut codegen::Writer) {
                    #encode
                }
            }

            impl #bounds codegen::Decode for #name #generics {
                fn decode(reader: &mut codegen::Reader<'_>) -> Result<Self, codegen::DecodeError> {
                    #decode
                }
            }
        }
    }

    fn record(&self, record: &Record) -> TokenStream {
        let (name, generics, about) = (&self.name, self.generics(), &self.docs);
        let derives = &self.derives;
        let fields: Vec<Ident> =
            record.fields.iter().map(|field| names::snake(&field.name)).collect();
        let types = record.fields.iter().map(|field| self.field(&field.ty));
        let field_docs = record.fields.iter().map(|field| docs(field.docs.contents.as_deref()));
        let encode = quote!(#(codegen::Encode::encode(&self.#fields, writer);)*);
        let decode = quote!(Ok(Self { #(#fields: codegen::Decode::decode(reader)?,)* }));
        let codec = self.codec(&encode, &decode);
        quote! {
            #(#about)*
            #[derive(#derives)]
            pub struct #name #generics {
                #(#(#field_docs)* pub #fields: #types,)*
            }
            #codec
        }
    }

    fn variant(&self, variant: &Variant) -> TokenStream {
        let (name, generics, about) = (&self.name, self.generics(), &self.docs);
        let derives = &self.derives;
        let (mut cases, mut encode, mut decode) = (Vec::new(), Vec::new(), Vec::new());
        for (index, case) in variant.cases.iter().enumerate() {
            let (ident, about, index) =
                (names::upper(&case.name), docs(case.docs.contents.as_deref()), index as u64);
            if let Some(ty) = &case.ty {
                let ty = self.field(ty);
                cases.push(quote!(#(#about)* #ident(#ty)));
                encode.push(quote!(Self::#ident(payload) => { writer.leb_u(#index); codegen::Encode::encode(payload, writer); }));
                decode.push(quote!(#index => Self::#ident(codegen::Decode::decode(reader)?)));
            } else {
                cases.push(quote!(#(#about)* #ident));
                encode.push(quote!(Self::#ident => writer.leb_u(#index)));
                decode.push(quote!(#index => Self::#ident));
            }
        }
        let codec = self.case_codec(&encode, &decode);
        quote! {
            #(#about)*
            #[derive(#derives)]
            pub enum #name #generics {
                #(#cases,)*
            }
            #codec
        }
    }

    fn cases(&self, cases: &Enum) -> TokenStream {
        let (name, about) = (&self.name, &self.docs);
        let idents: Vec<Ident> = cases.cases.iter().map(|case| names::upper(&case.name)).collect();
        let case_docs = cases.cases.iter().map(|case| docs(case.docs.contents.as_deref()));
        let indexes: Vec<u64> = (0..idents.len() as u64).collect();
        let encode: Vec<_> = idents
            .iter()
            .zip(&indexes)
            .map(|(ident, index)| quote!(Self::#ident => writer.leb_u(#index)))
            .collect();
        let decode: Vec<_> = idents
            .iter()
            .zip(&indexes)
            .map(|(ident, index)| quote!(#index => Self::#ident))
            .collect();
        let codec = self.case_codec(&encode, &decode);
        quote! {
            #(#about)*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum #name {
                #(#(#case_docs)* #idents,)*
            }
            #codec
        }
    }

    fn case_codec(&self, encode: &[TokenStream], decode: &[TokenStream]) -> TokenStream {
        let count = encode.len();
        self.codec(
            &quote!(match self { #(#encode,)* }),
            &quote! {
                Ok(match codegen::case(reader, #count)? {
                    #(#decode,)*
                    _ => unreachable!("the reader checks the index of a case"),
                })
            },
        )
    }

    fn flags(&self, flags: &Flags) -> TokenStream {
        let (name, about) = (&self.name, &self.docs);
        let idents: Vec<Ident> = flags.flags.iter().map(|flag| names::snake(&flag.name)).collect();
        let flag_docs = flags.flags.iter().map(|flag| docs(flag.docs.contents.as_deref()));
        let count = idents.len();
        let indexes = 0..count;
        let codec = self.codec(
            &quote!(codegen::put_flags(writer, &[#(self.#idents),*]);),
            &quote! {
                let flags = codegen::flags::<#count>(reader)?;
                Ok(Self { #(#idents: flags[#indexes],)* })
            },
        );
        quote! {
            #(#about)*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
            pub struct #name {
                #(#(#flag_docs)* pub #idents: bool,)*
            }
            #codec
        }
    }

    fn alias(&self, id: TypeId) -> TokenStream {
        let (name, generics, about) = (&self.name, self.generics(), &self.docs);
        let shape = self.scout.definition(id).unwrap_or(Shape::Tuple(Vec::new()));
        let ty = rust_type(&shape, Place::Definition);
        quote!(#(#about)* pub type #name #generics = #ty;)
    }
}
