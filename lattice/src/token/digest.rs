//! What a record says, as one short text: the same for two readers of which one knows fewer fields, as long as those hold
//! nothing.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Fields that others change: the planner, the reconciler, hosts, and `wicker scale`.
const OF_OTHERS: [&str; 3] = ["generation", "owner", "spread"];

/// What a record says, without what others than its team change.
#[must_use]
pub fn digest<R: Serialize>(record: &R) -> String {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !OF_OTHERS.contains(&name.as_str()));
    }
    let mut text = String::new();
    print(&value, &mut text);
    hex(&Sha256::digest(text))
}

/// JSON with its fields in order, and without those that hold nothing.
fn print(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !is_empty(value)).collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                print(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                print(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_of_what_the_team_says_and_of_nothing_that_is_empty() {
        let of = |text: &str| digest(&serde_json::from_str::<Value>(text).unwrap());
        let plain = of(r#"{"id":"a","config":{"x":"1"}}"#);
        let more = r#"{"generation":7,"config":{"x":"1","y":null},"id":"a","spread":{"n":1}}"#;
        assert_eq!(of(more), plain);
        assert_eq!(of(r#"{"id":"a","config":{"x":"1"},"later":[],"owner":"b"}"#), plain);
        assert_ne!(of(r#"{"id":"a","config":{"x":"2"}}"#), plain);
    }
}
