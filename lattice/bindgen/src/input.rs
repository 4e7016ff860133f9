//! The macro's arguments.

use std::fmt::Display;

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token, braced, bracketed};

/// What `bindgen!` was asked for.
pub(crate) struct Input {
    pub(crate) source: Source,
    pub(crate) interfaces: Vec<LitStr>,
    span: Span,
}

/// Where the WIT is.
pub(crate) enum Source {
    Path(LitStr),
    Inline(LitStr),
}

impl Input {
    /// An error that points at the macro's arguments.
    pub(crate) fn error(&self, message: impl Display) -> syn::Error {
        syn::Error::new(self.span, message)
    }
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let span = input.span();
        let fields;
        braced!(fields in input);
        let (mut source, mut interfaces) = (None, None);
        while !fields.is_empty() {
            let field: Ident = fields.parse()?;
            fields.parse::<Token![:]>()?;
            match field.to_string().as_str() {
                "path" => source = Some(Source::Path(fields.parse()?)),
                "inline" => source = Some(Source::Inline(fields.parse()?)),
                "interfaces" => {
                    let names;
                    bracketed!(names in fields);
                    let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&names)?;
                    interfaces = Some(names.into_iter().collect());
                }
                other => {
                    let message = format!(
                        "unknown field `{other}`: expected `path`, `inline` or `interfaces`"
                    );
                    return Err(syn::Error::new(field.span(), message));
                }
            }
            if !fields.is_empty() {
                fields.parse::<Token![,]>()?;
            }
        }
        let missing = |what| syn::Error::new(span, format!("`{what}` is missing"));
        Ok(Self {
            source: source.ok_or_else(|| missing("path"))?,
            interfaces: interfaces.ok_or_else(|| missing("interfaces"))?,
            span,
        })
    }
}
