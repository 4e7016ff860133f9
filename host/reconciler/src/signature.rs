//! Types and signatures as people read them: WIT's own notation, with named types spelled out.

use wicker_lattice::types::{FunctionType, Type};

/// `(key: string) -> result<option<list<u8>>, error>`.
#[must_use]
pub fn print(function: &FunctionType) -> String {
    let params: Vec<String> =
        function.params.iter().map(|(name, ty)| format!("{name}: {}", print_type(ty))).collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", print_type(ty)));
    let is_async = if function.is_async { "async " } else { "" };
    format!("{is_async}func({}){}", params.join(", "), result.unwrap_or_default())
}

/// One type. Records, variants, enums and flags are written out; resources by name.
#[must_use]
pub fn print_type(ty: &Type) -> String {
    match ty {
        Type::List(element) => format!("list<{}>", print_type(element)),
        Type::Option(some) => format!("option<{}>", print_type(some)),
        Type::Tuple(types) => format!("tuple<{}>", join(types, print_type)),
        Type::Record(fields) => {
            format!("record {{ {} }}", join(fields, |(name, ty)| format!("{name}: {}", print_type(ty))))
        }
        Type::Variant(cases) => format!("variant {{ {} }}", join(cases, case)),
        Type::Enum(names) => format!("enum {{ {} }}", names.join(", ")),
        Type::Flags(names) => format!("flags {{ {} }}", names.join(", ")),
        Type::Result { ok, err } => print_result(ok.as_deref(), err.as_deref()),
        Type::Own(_, name) => name.clone(),
        Type::Borrow(_, name) => format!("borrow<{name}>"),
        Type::Stream(element) => print_payload("stream", element.as_deref()),
        Type::Future(value) => print_payload("future", value.as_deref()),
        // The canonical form of what is left is WIT's own.
        plain => plain.to_string(),
    }
}

fn case((name, payload): &(String, Option<Type>)) -> String {
    payload.as_ref().map_or_else(|| name.clone(), |ty| format!("{name}({})", print_type(ty)))
}

fn print_result(ok: Option<&Type>, err: Option<&Type>) -> String {
    match (ok, err) {
        (None, None) => "result".to_owned(),
        (Some(ok), None) => format!("result<{}>", print_type(ok)),
        (ok, Some(err)) => {
            let ok = ok.map_or_else(|| "_".to_owned(), print_type);
            format!("result<{ok}, {}>", print_type(err))
        }
    }
}

fn print_payload(kind: &str, payload: Option<&Type>) -> String {
    payload.map_or_else(|| kind.to_owned(), |ty| format!("{kind}<{}>", print_type(ty)))
}

fn join<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}
