//! Link configs: text in the lattice, typed in the provider.
//!
//! A link's config is a map of text to text, because that is what `wicker link set --config KEY=VALUE` and manifests
//! hold. Each provider reads it as a serde struct of its own; a field's type says how its text is read: `true`,
//! `5432`, `0.5`, an enum by the name of its case, a list by its commas (the empty text is the empty list). Structs in
//! structs are refused. Errors name the key and never show the value, which may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Reads `config` as a `T`.
///
/// # Errors
/// A key is unknown or missing, or a value is not what its field wants.
pub fn read<T: DeserializeOwned>(config: &BTreeMap<String, String>) -> Result<T, ConfigError> {
    let fields = config.iter().map(|(key, value)| (key.as_str(), Text { key, value }));
    T::deserialize(MapDeserializer::new(fields))
}

/// The config of a provider, or of its links, that has no settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// A config is not what the provider wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl de::Error for ConfigError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// One value, with its key for errors.
#[derive(Clone, Copy)]
struct Text<'a> {
    key: &'a str,
    value: &'a str,
}

impl Text<'_> {
    fn parse<T: FromStr>(self, kind: &str) -> Result<T, ConfigError> {
        self.value.trim().parse().map_err(|_| self.is_not(kind))
    }

    fn is_not(self, kind: &str) -> ConfigError {
        ConfigError(format!("the value of `{}` is not {kind}", self.key))
    }
}

impl<'de> IntoDeserializer<'de, ConfigError> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// One function for each number: parse, visit.
macro_rules! parsed {
    ($($function:ident $visit:ident $kind:literal,)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
            visitor.$visit(self.parse($kind)?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Text<'de> {
    type Error = ConfigError;

    parsed! {
        deserialize_bool visit_bool "`true` or `false`",
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number of 32 bits",
        deserialize_u64 visit_u64 "a whole number",
        deserialize_i8 visit_i8 "a whole number from -128 to 127",
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767",
        deserialize_i32 visit_i32 "a whole number of 32 bits",
        deserialize_i64 visit_i64 "a whole number",
        deserialize_f32 visit_f32 "a number",
        deserialize_f64 visit_f64 "a number",
        deserialize_char visit_char "one character",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_borrowed_str(self.value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        if !variants.contains(&self.value) {
            return Err(self.is_not(&format!("one of: {}", variants.join(", "))));
        }
        visitor.visit_enum(self.value.into_deserializer())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let key = self.key;
        let elements = self.value.split(',').map(str::trim).filter(|value| !value.is_empty());
        visitor.visit_seq(SeqDeserializer::new(elements.map(|value| Text { key, value })))
    }

    forward_to_deserialize_any! {
        i128 u128 str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Example {
        url: String,
        #[serde(default)]
        port: Option<u16>,
        #[serde(default)]
        tls: bool,
        #[serde(default)]
        allow: Vec<String>,
        #[serde(default)]
        mode: Mode,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        #[default]
        ReadWrite,
        ReadOnly,
    }

    fn read_pairs(pairs: &[(&str, &str)]) -> Result<Example, ConfigError> {
        read(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn text_is_read_as_its_field_wants() {
        let read = read_pairs(&[
            ("url", "12"),
            ("port", "5432"),
            ("tls", "true"),
            ("allow", "a.example, b.example:80,"),
            ("mode", "read-only"),
        ]);
        let allow = vec!["a.example".to_owned(), "b.example:80".to_owned()];
        let (url, port, tls, mode) = ("12".to_owned(), Some(5432), true, Mode::ReadOnly);
        assert_eq!(read.unwrap(), Example { url, port, tls, allow, mode });
        assert_eq!(read_pairs(&[("url", "x"), ("allow", "")]).unwrap().allow, Vec::<String>::new());
    }

    #[test]
    fn error_names_the_key_and_hides_the_value() {
        let error = |pairs: &[(&str, &str)]| read_pairs(pairs).unwrap_err().to_string();
        assert_eq!(
            error(&[("url", "x"), ("port", "hunter2")]),
            "the value of `port` is not a whole number from 0 to 65535"
        );
        assert_eq!(
            error(&[("url", "x"), ("mode", "none")]),
            "the value of `mode` is not one of: read-write, read-only"
        );
        assert!(error(&[]).contains("url"));
        assert!(error(&[("url", "x"), ("prot", "1")]).contains("prot"));
    }
}
