//! A WIT interface becomes Rust: types, one `&self` async trait, a table of functions that serves it, and a client.
//!
//! Providers use it through the SDK, as `wicker_provider::bindgen!`; what it writes refers to that crate and to nothing
//! else. `input` reads the macro's arguments, `load` the WIT, `plan` decides what Rust it becomes (names, types,
//! resources; `shape` says what each type is), and `emit` writes it. What WIT can say and a link cannot carry is refused with the name that the WIT
//! gives it.

mod emit;
mod input;
mod load;
mod names;
mod plan;
mod shape;

use proc_macro::TokenStream;

/// Writes the Rust side of WIT interfaces.
///
/// ```text
/// wicker_provider::bindgen!({
///     path: "../../wit/wasi-keyvalue-0.2.0-draft",
///     interfaces: ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft"],
/// });
/// ```
///
/// `path` is a WIT file or folder (with `deps/`), relative to the crate; `inline: "package …"` takes WIT in place.
/// Each interface becomes a module with its own name (`store`), and so does each one that it takes types from:
///
/// - its types: records, variants, enums and flags as owned Rust types, `list<u8>` as `Bytes`, `stream<u8>` as
///   `Stream` (what holds one is neither `Clone` nor `PartialEq`);
/// - `trait Store`: one `async fn` for each function, by its name, with the resource in front (`bucket_get`); each
///   resource is an associated type that implements `Resource` (`Stateless`, or `Pinned`), `borrow<bucket>` is `&Self::Bucket`, and
///   `own<bucket>` inside a value is `Own<Self::Bucket>`. An interface that uses another's resource has that one's
///   trait as supertrait;
/// - `serve::<L>()`: the interface, served by a link type that implements the trait;
/// - `Client`: the calling side, and `import()`: the interface, as one that a provider calls;
/// - `name()`: the interface's full name.
#[proc_macro]
pub fn bindgen(arguments: TokenStream) -> TokenStream {
    let expanded = syn::parse(arguments).and_then(|input: input::Input| expand(&input));
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &input::Input) -> syn::Result<proc_macro2::TokenStream> {
    let loaded = load::load(input)?;
    let modules = plan::plan(&loaded).map_err(|refusal| input.error(refusal))?;
    Ok(emit::emit(&loaded, &modules))
}

#[cfg(test)]
mod tests;
