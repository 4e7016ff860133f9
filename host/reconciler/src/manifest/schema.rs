//! The JSON Schema of a manifest, made from the fields that the reader knows.

use serde_json::{Map, Value, json};

use super::known::{Holds, MANIFEST, Section};

/// Where the schema's dialect is defined.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What editors complete manifests from.
#[must_use]
pub fn schema() -> Value {
    let mut schema = of_section(&MANIFEST);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), DIALECT.into());
        fields.insert("title".to_owned(), "A Wicker manifest".into());
    }
    schema
}

fn of_section(section: &Section) -> Value {
    let property = |field: &super::known::Field| {
        let mut schema = of(&field.holds);
        if let Value::Object(fields) = &mut schema {
            fields.insert("description".to_owned(), field.about.into());
        }
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = section.fields.iter().map(property).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let Value::Object(fields) = &mut schema {
        if !section.required.is_empty() {
            fields.insert("required".to_owned(), json!(section.required));
        }
        if !section.one_of.is_empty() {
            let each = section.one_of.iter().map(|name| json!({ "required": [name] }));
            fields.insert("oneOf".to_owned(), each.collect());
        }
    }
    schema
}

fn of(holds: &Holds) -> Value {
    // What YAML calls a number or a boolean is text where text is expected.
    let text = || json!({ "type": ["string", "number", "boolean"] });
    let unit = |units: &str| json!({ "type": "string", "pattern": format!("^[0-9]+ *({units})$") });
    match holds {
        Holds::Text => text(),
        Holds::OneOf(names) => json!({ "enum": names }),
        Holds::Boolean => json!({ "type": "boolean" }),
        Holds::Number => json!({ "type": "integer", "minimum": 0 }),
        Holds::Count => json!({ "type": "integer", "minimum": 1 }),
        Holds::Replicas => json!({ "anyOf": [of(&Holds::Count), { "const": "every" }] }),
        Holds::Size => unit("B|KiB|MiB|GiB|KB|MB|GB"),
        Holds::Duration => unit("ms|s|m|h"),
        Holds::TextMap => {
            let list = json!({ "type": "array", "items": text() });
            json!({ "type": "object", "additionalProperties": { "anyOf": [text(), list] } })
        }
        Holds::Config => {
            let list = json!({ "type": "array", "items": text() });
            let secret = json!({
                "type": "object",
                "properties": { "secret": text() },
                "required": ["secret"],
                "additionalProperties": false,
            });
            json!({ "type": "object", "additionalProperties": { "anyOf": [text(), list, secret] } })
        }
        Holds::Json => json!({}),
        Holds::List(each) => json!({ "type": "array", "items": of(each) }),
        Holds::Map(each) => json!({ "type": "object", "additionalProperties": of(each) }),
        Holds::Either(one, other) => json!({ "anyOf": [of(one), of(other)] }),
        Holds::SectionOr(section, None) => of_section(section),
        Holds::SectionOr(section, Some(short)) => {
            json!({ "anyOf": [of(short), of_section(section)] })
        }
    }
}

#[cfg(test)]
mod tests;
