//! WIT's kebab-case names as Rust names.

use proc_macro2::{Ident, Span};

/// `key-response` as `KeyResponse`.
pub(crate) fn upper(name: &str) -> Ident {
    let mut text = String::new();
    for word in name.split('-') {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.extend(letters.map(|letter| letter.to_ascii_lowercase()));
    }
    ident(&text)
}

/// `list-keys` as `list_keys`.
pub(crate) fn snake(name: &str) -> Ident {
    ident(&name.replace('-', "_").to_ascii_lowercase())
}

/// A function by its name in the component ABI: `[method]bucket.list-keys` as `bucket_list_keys`.
pub(crate) fn function(name: &str) -> Ident {
    let plain = match name.strip_prefix("[constructor]") {
        Some(resource) => format!("{resource}-new"),
        None => name.split(']').next_back().unwrap_or(name).replace('.', "-"),
    };
    snake(&plain)
}

fn ident(text: &str) -> Ident {
    let is_keyword = syn::parse_str::<Ident>(text).is_err();
    match text {
        // The keywords that cannot be raw identifiers.
        "self" | "Self" | "super" | "crate" => Ident::new(&format!("{text}_"), Span::call_site()),
        _ if is_keyword => Ident::new_raw(text, Span::call_site()),
        _ => Ident::new(text, Span::call_site()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_rust_names() {
        assert_eq!(upper("key-response").to_string(), "KeyResponse");
        assert_eq!(upper("DNS-timeout").to_string(), "DnsTimeout");
        assert_eq!(upper("self").to_string(), "Self_");
        assert_eq!(function("[method]bucket.list-keys").to_string(), "bucket_list_keys");
        assert_eq!(function("[static]cas.new").to_string(), "cas_new");
        assert_eq!(function("[constructor]cas").to_string(), "cas_new");
        assert_eq!(function("type").to_string(), "r#type");
    }
}
