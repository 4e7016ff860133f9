//! The schema takes what the reader takes; `docs/manifest.schema.json` is the schema.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::schema;
use crate::diagnostic::{Problems, Source};
use crate::manifest::fields::json;
use crate::manifest::{parse, yaml};

/// As much of JSON Schema as the schema uses. `None`: the value fits.
fn misfit(schema: &Value, value: &Value) -> Option<String> {
    let wrong = |why: &str| Some(format!("{value}: {why}"));
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let misfits: Vec<Option<String>> = any.iter().map(|each| misfit(each, value)).collect();
        return if misfits.contains(&None) { None } else { wrong("fits none") };
    }
    if let Some(constant) = schema.get("const") {
        return (constant != value).then(|| format!("{value}: not {constant}"));
    }
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        return if names.contains(value) { None } else { wrong("not one of the names") };
    }
    let kind = match value {
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |name: &Value| name == kind || (name == "integer" && value.is_u64());
    match schema.get("type") {
        Some(Value::Array(names)) if !names.iter().any(is_kind) => return wrong("of another type"),
        Some(name @ Value::String(_)) if !is_kind(name) => return wrong("of another type"),
        _ => {}
    }
    if schema.get("minimum").and_then(Value::as_u64) > value.as_u64() {
        return wrong("too small");
    }
    if let Value::Array(items) = value {
        return items.iter().find_map(|item| misfit(schema.get("items")?, item));
    }
    let Value::Object(entries) = value else { return None };
    let required = schema.get("required").and_then(Value::as_array);
    if let Some(name) =
        required.into_iter().flatten().find(|name| !entries.contains_key(name.as_str().unwrap()))
    {
        return wrong(&format!("{name} is missing"));
    }
    entries.iter().find_map(|(key, entry)| {
        let property = schema.get("properties").and_then(|known| known.get(key));
        match property.or_else(|| schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => Some(format!("{key} is not known")),
            Some(schema) => misfit(schema, entry),
            None => None,
        }
    })
}

fn as_json(text: &str) -> Value {
    json(&yaml::parse(&Source::new("app.yaml", text), 0, &mut Problems::default()).unwrap())
}

fn check(text: &str) {
    parse(&Source::new("app.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(misfit(&schema(), &as_json(text)), None);
}

#[test]
fn manifests_that_can_be_read_fit_the_schema() {
    check(include_str!("../../../tests/full.yaml"));
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut found = 0;
    for example in std::fs::read_dir(examples).unwrap() {
        let files = std::fs::read_dir(example.unwrap().path()).into_iter().flatten();
        for file in files.map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "yaml") {
                check(&std::fs::read_to_string(file).unwrap());
                found += 1;
            }
        }
    }
    assert!(found > 2, "the examples have manifests");
}

/// The paths of fields that the schema knows, and of those that are used: a section may be reached in several ways.
#[derive(Default)]
struct Fields {
    known: BTreeSet<String>,
    used: BTreeSet<String>,
}

impl Fields {
    fn walk(&mut self, schema: &Value, values: &[&Value], path: &str) {
        for each in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            self.walk(each, values, path);
        }
        if let Some(each) = schema.get("items") {
            let items = values.iter().filter_map(|value| value.as_array()).flatten();
            self.walk(each, &items.collect::<Vec<_>>(), path);
        }
        let maps: Vec<_> = values.iter().filter_map(|value| value.as_object()).collect();
        if let Some(each) = schema.get("additionalProperties").filter(|each| each.is_object()) {
            let all: Vec<&Value> = maps.iter().flat_map(|map| map.values()).collect();
            self.walk(each, &all, path);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let path = format!("{path}.{name}");
            let found: Vec<&Value> = maps.iter().filter_map(|map| map.get(name)).collect();
            self.walk(property, &found, &path);
            if !found.is_empty() {
                self.used.insert(path.clone());
            }
            self.known.insert(path);
        }
    }
}

#[test]
fn full_manifest_uses_every_field_that_the_schema_knows() {
    let mut fields = Fields::default();
    fields.walk(&schema(), &[&as_json(include_str!("../../../tests/full.yaml"))], "");
    let unused: Vec<&String> = fields.known.difference(&fields.used).collect();
    // Of providers, read by the functions that read them of components.
    let unused: Vec<&str> = unused
        .into_iter()
        .map(String::as_str)
        .filter(|path| !path.starts_with(".providers.placement."))
        .filter(|path| !path.starts_with(".providers.rollout"))
        .collect();
    assert_eq!(unused, [".providers.builtin", ".providers.replicas"]);
}

#[test]
fn what_the_reader_refuses_does_not_fit() {
    for text in [
        "application: a\ncomponets: {}\n",
        "components: {a: b}\n",
        "application: a\ncomponents: {a: {limits: {memory: 1MiB}}}\n",
        "application: a\ncomponents: {a: {image: b, replicas: 0}}\n",
        "application: a\ncomponents: {a: {image: b, replicas: all}}\n",
        "application: a\ncomponents: {a: {image: b, placement: {label: {}}}}\n",
        "application: a\nproviders: {a: {builtin: b, sharing: perhaps}}\n",
        "application: a\nlinks: {a: {b: {name: c}}}\n",
    ] {
        assert!(parse(&Source::new("app.yaml", text)).is_err(), "{text}");
        assert!(misfit(&schema(), &as_json(text)).is_some(), "{text}");
    }
}

#[test]
fn documentation_holds_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifest.schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "UPDATE_GOLDEN=1 writes {} anew", path.display());
}
