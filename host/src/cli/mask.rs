//! Hides what must not be shown: passwords in URLs, and values whose key says that they are secret.
//!
//! Everything that a verb prints of config goes through here, for people and for programs alike.

use std::collections::BTreeMap;

use serde_json::Value;

/// What stands where a secret was.
const HIDDEN: &str = "***";

/// Words in a key that make its value a secret.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey"];

/// Whether a key says that its value is a secret: `password`, `redis_password`, `api-key`, `authToken`.
fn is_secret(key: &str) -> bool {
    let letters: String =
        key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| letters.contains(word))
}

/// The value of `key`, as it may be shown.
#[must_use]
pub fn text(key: &str, value: &str) -> String {
    if is_secret(key) { HIDDEN.to_owned() } else { urls(value) }
}

/// String config, as it may be shown.
#[must_use]
pub fn map(config: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    config.iter().map(|(key, value)| (key.clone(), text(key, value))).collect()
}

/// Whether it names a secret (`{"secret": NAME}`) instead of being one.
fn is_reference(value: &Value) -> bool {
    let only = value.as_object().filter(|fields| fields.len() == 1);
    only.and_then(|fields| fields.get("secret")).is_some_and(Value::is_string)
}

/// Typed config, as it may be shown: under a secret key, everything is hidden.
#[must_use]
pub fn json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(urls(text)),
        Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        Value::Object(_) if is_reference(value) => value.clone(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let is_hidden = is_secret(key) && !value.is_null() && !is_reference(value);
                let value = if is_hidden { Value::from(HIDDEN) } else { json(value) };
                (key.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Hides who logs in with what, in every URL of a text: `redis://***@host/0`.
#[must_use]
pub fn urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(['/', '?', '#', ' ', ',', '"']).unwrap_or(after.len());
        let (authority, further) = after.split_at(end);
        shown.push_str(before);
        shown.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.extend([HIDDEN, "@", host]),
            None => shown.push_str(authority),
        }
        rest = further;
    }
    // Only what comes after a URL can be its parameters.
    let rest = if shown.is_empty() { rest.to_owned() } else { query(rest) };
    shown + &rest
}

/// Hides secret parameters after the `?` of a URL's end.
fn query(rest: &str) -> String {
    let Some((path, parameters)) = rest.split_once('?') else { return rest.to_owned() };
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}={HIDDEN}"),
        _ => parameter.to_owned(),
    };
    let parameters: Vec<String> = parameters.split('&').map(parameter).collect();
    format!("{path}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_logs_in_with_what_is_hidden_in_every_url() {
        for (text, shown) in [
            ("redis://:hunter2@db:6379/0", "redis://***@db:6379/0"),
            ("redis://user:p@ss@db", "redis://***@db"),
            ("nats://a:b@one:1,nats://c@two:2", "nats://***@one:1,nats://***@two:2"),
            ("redis://db:6379", "redis://db:6379"),
            ("https://db/x?token=abc&size=3", "https://db/x?token=***&size=3"),
            ("https://example.org/a@b", "https://example.org/a@b"),
            ("plain text?", "plain text?"),
        ] {
            assert_eq!(urls(text), shown);
        }
    }

    #[test]
    fn value_of_a_secret_key_is_hidden_however_deep() {
        let config = json!({
            "url": "redis://:hunter2@db", "size": 3, "tls": { "private-key": ["a", "b"] },
            "password": "hunter2", "key": { "secret": "db-key" }, "authToken": { "value": "x" }, "clientSecret": null,
        });
        let shown = json(&config);
        assert_eq!(
            shown,
            json!({
                "url": "redis://***@db", "size": 3, "tls": { "private-key": "***" },
                "password": "***", "key": { "secret": "db-key" }, "authToken": "***", "clientSecret": null,
            })
        );
    }
}
