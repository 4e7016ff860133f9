//! Configs that name secrets, and what they say once the secrets are in place. A provider sees the result only, so each of
//! them may have any of its settings from a secret.
//!
//! In the config of a provider `{"secret": NAME}` stands for a text, at whatever depth; of a link, [`Link::secrets`] does.

use std::collections::BTreeMap;

use serde_json::Value;
use wicker_lattice::secret::{Secret, SecretError, SecretId, SecretSource};
use wicker_lattice::store::record::Link;

use crate::error::ProviderError;

/// The key of an object that stands for a secret.
const SECRET: &str = "secret";

/// The secrets that a config was made with: what to compare when some have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Used(BTreeMap<SecretId, Secret>);

impl Used {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without any of the values: backends repeat in their errors what they were given.
    pub(crate) fn redact(&self, text: String) -> String {
        let values = self.0.values().filter_map(Secret::reveal_text);
        values
            .filter(|value| !value.is_empty())
            .fold(text, |text, value| text.replace(value, "***"))
    }

    /// The text of a secret, noted as used.
    fn text(&mut self, id: SecretId, source: &dyn SecretSource) -> Result<String, ProviderError> {
        let unreadable =
            |error: SecretError| ProviderError::backend("cannot read its config", error);
        let secret = source.find(&id).map_err(unreadable)?;
        let text = secret.reveal_text().map(str::to_owned);
        let text = text.ok_or_else(|| {
            ProviderError::config(format!("the secret `{id}` is no text, and config is"))
        })?;
        self.0.insert(id, secret);
        Ok(text)
    }
}

/// The config of a provider of `team`, with its secrets in place.
pub(crate) fn of_provider(
    config: &Value,
    team: &str,
    source: &dyn SecretSource,
) -> Result<(Value, Used), ProviderError> {
    let mut used = Used::default();
    let config = in_place(config, team, source, &mut used)?;
    Ok((config, used))
}

fn in_place(
    value: &Value,
    team: &str,
    source: &dyn SecretSource,
    used: &mut Used,
) -> Result<Value, ProviderError> {
    if let Some(name) = name_of(value) {
        return used.text(id(team, name)?, source).map(Value::String);
    }
    match value {
        Value::Array(items) => {
            items.iter().map(|item| in_place(item, team, source, used)).collect()
        }
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                Ok((key.clone(), in_place(value, team, source, used)?))
            };
            fields.iter().map(field).collect::<Result<_, _>>().map(Value::Object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
    }
}

/// The name in `{"secret": NAME}`.
fn name_of(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(SECRET)?.as_str()
}

/// The config of a link, with its secrets in place.
pub(crate) fn of_link(
    link: &Link,
    source: &dyn SecretSource,
) -> Result<(BTreeMap<String, String>, Used), ProviderError> {
    let (mut config, mut used) = (link.config.clone(), Used::default());
    for (key, name) in &link.secrets {
        let value = used.text(id(link.source.team(), name)?, source)?;
        config.insert(key.clone(), value);
    }
    Ok((config, used))
}

fn id(team: &str, name: &str) -> Result<SecretId, ProviderError> {
    SecretId::new(team, name).map_err(|error| ProviderError::config(error.to_string()))
}

/// The secrets that a provider needs: those of its own config, and of the links that lead to it or away from it.
pub fn named<'a>(
    team: &str,
    config: &Value,
    links: impl IntoIterator<Item = &'a Link>,
) -> Vec<SecretId> {
    let mut found = Vec::new();
    collect(config, team, &mut found);
    for link in links {
        let of_link = link.secrets.values();
        found.extend(of_link.filter_map(|name| SecretId::new(link.source.team(), name).ok()));
    }
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, team: &str, found: &mut Vec<SecretId>) {
    if let Some(name) = name_of(value) {
        found.extend(SecretId::new(team, name));
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, team, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, team, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wicker_lattice::secret::Held;

    fn held(values: &[(&str, &str)]) -> Held {
        let held = Held::default();
        let value = |(id, value): &(&str, &str)| {
            (id.parse().unwrap(), Secret::new(value.as_bytes().to_vec()))
        };
        held.replace(values.iter().map(value).collect());
        held
    }

    #[test]
    fn a_secret_may_stand_anywhere_in_a_config() {
        let config =
            json!({ "url": { "secret": "url" }, "more": [{ "key": { "secret": "key" } }], "n": 1 });
        let held = held(&[("shop/url", "redis://:hunter2@db"), ("shop/key", "k")]);
        let (read, used) = of_provider(&config, "shop", &held).unwrap();
        let expected = json!({ "url": "redis://:hunter2@db", "more": [{ "key": "k" }], "n": 1 });
        assert_eq!(read, expected);
        let said = used.redact("cannot connect to redis://:hunter2@db".to_owned());
        assert_eq!(said, "cannot connect to ***");
        let ids = named("shop", &config, []).into_iter().map(|id| id.to_string());
        assert_eq!(ids.collect::<Vec<_>>(), ["shop/key", "shop/url"]);
    }

    #[test]
    fn a_secret_of_another_team_is_not_found() {
        let held = held(&[("shop/url", "x")]);
        let error = of_provider(&json!({ "secret": "url" }), "bank", &held).unwrap_err();
        assert_eq!(error.chain(), "cannot read its config: there is no secret `bank/url`");
    }
}
