//! wadm manifests (`core.oam.dev/v1beta1`), as wasmCloud 1 has them: translated into the tree of a manifest of ours, each part
//! with its place in the file, and read on from there.
//!
//! What has no counterpart is named where it stands: an error where the application would not be what it was, a warning where it
//! is but for something that hosts decide here. `scale` translates the scaler traits, `link` the link traits, `secret` secrets.

mod link;
mod scale;
mod secret;

use std::collections::BTreeMap;

use super::fields::Reader;
use super::yaml::{Node, Value};
use crate::diagnostic::{Span, Spanned};

/// What the first field of such a file says.
const API_VERSION: &str = "core.oam.dev/v1beta1";

/// Providers of wasmCloud, by the last part of their image's name, and who does the same here.
const PROVIDERS: [(&str, &str); 10] = [
    ("http-server", HTTP_SERVER),
    ("httpserver", HTTP_SERVER),
    ("http-client", HTTP_CLIENT),
    ("httpclient", HTTP_CLIENT),
    ("keyvalue-redis", "keyvalue-redis"),
    ("kvredis", "keyvalue-redis"),
    ("keyvalue-nats", "keyvalue-nats"),
    ("kvnats", "keyvalue-nats"),
    ("messaging-nats", "messaging-nats"),
    ("nats_messaging", "messaging-nats"),
];

/// Every host's listener: what it was linked to has routes here.
const HTTP_SERVER: &str = "http-server";

/// Who sends outgoing requests.
const HTTP_CLIENT: &str = "http-client";

/// The fields of a map, or nothing where it is none.
type Entries<'n> = &'n [(Spanned<String>, Node)];

/// Whether a file is of this kind.
pub(super) fn is_wadm(root: &Node) -> bool {
    let version = get(root, "apiVersion");
    matches!(version.map(|node| &node.value), Some(Value::Scalar { text, .. }) if text == API_VERSION)
}

/// What a name of the file stands for.
#[derive(Clone)]
enum Named {
    Component,
    /// A component of another application, by its id's end.
    Elsewhere(String),
    /// A builtin.
    Provider(&'static str),
    /// The problem has been noted.
    Unknown,
}

/// Of one source: each interface, and its links of several names.
type LinksOf = Vec<(Spanned<String>, Vec<Node>)>;

/// What has been translated so far.
#[derive(Default)]
struct Parts {
    components: Vec<(Spanned<String>, Node)>,
    providers: Vec<(Spanned<String>, Node)>,
    /// By source.
    links: Vec<(Spanned<String>, LinksOf)>,
    routes: Vec<(Spanned<String>, Node)>,
}

struct Wadm<'a, 'r> {
    reader: &'a mut Reader<'r>,
    named: BTreeMap<String, Named>,
    parts: Parts,
}

/// Translates a file.
pub(super) fn translate(root: &Node, reader: &mut Reader<'_>) -> Node {
    let mut wadm = Wadm { reader, named: BTreeMap::new(), parts: Parts::default() };
    wadm.refuse_unknown("the manifest", root, &["apiVersion", "kind", "metadata", "spec"]);
    let mut fields = wadm.metadata(get(root, "metadata"));
    if let Some(spec) = get(root, "spec") {
        wadm.refuse_unknown("spec", spec, &["components", "policies"]);
        for policy in items(get(spec, "policies")) {
            wadm.policy(policy);
        }
        let components = items(get(spec, "components"));
        for component in components {
            wadm.name(component);
        }
        for component in components {
            wadm.component(component);
        }
    }
    let Parts { components, providers, links, routes } = wadm.parts;
    let links = links.into_iter().map(|(source, links)| {
        let links = links.into_iter().map(|(interface, mut named)| {
            let span = interface.span;
            let one = named.pop().filter(|_| named.is_empty());
            let node = one.unwrap_or(Node { span, value: Value::List(named) });
            (interface, node)
        });
        let span = source.span;
        (source, map(span, links.collect()))
    });
    let sections = [
        ("components", components),
        ("providers", providers),
        ("links", links.collect()),
        ("routes", routes),
    ];
    for (name, entries) in sections {
        if !entries.is_empty() {
            fields.push((Spanned::new(name.to_owned(), root.span), map(root.span, entries)));
        }
    }
    map(root.span, fields)
}

impl Wadm<'_, '_> {
    fn metadata(&mut self, metadata: Option<&Node>) -> Vec<(Spanned<String>, Node)> {
        let Some(metadata) = metadata else { return Vec::new() };
        let mut fields = Vec::new();
        if let Some(name) = get(metadata, "name") {
            fields.push((Spanned::new("application".to_owned(), name.span), name.clone()));
        }
        let version = get(metadata, "annotations").and_then(|node| get(node, "version"));
        if let Some(version) = version {
            fields.push((Spanned::new("version".to_owned(), version.span), version.clone()));
        }
        fields
    }

    /// Notes what a component's name stands for, so that links may lead to what is declared after them.
    fn name(&mut self, component: &Node) {
        let Some(name) = text(component, "name") else {
            self.reader.error(
                component.span,
                "a component has no name".to_owned(),
                "add `name: NAME`",
            );
            return;
        };
        let properties = get(component, "properties");
        let other = properties.and_then(|node| get(node, "application"));
        let image = properties.and_then(|node| text(node, "image"));
        let kind = text(component, "type");
        let named = match (kind.as_ref().map(|kind| kind.value.as_str()), other, image) {
            (Some("component"), None, _) => Named::Component,
            (Some("component" | "capability"), Some(other), _) => self.elsewhere(other),
            (Some("capability"), None, Some(image)) => self.provider(&image),
            (Some("capability"), None, None) => {
                self.reader.error(name.span, format!("capability {} has no image", name.value), "");
                Named::Unknown
            }
            _ => {
                let span = kind.map_or(component.span, |kind| kind.span);
                let message = format!("{} is neither a component nor a capability", name.value);
                self.reader.error(span, message, "write `type: component` or `type: capability`");
                Named::Unknown
            }
        };
        self.named.insert(name.value, named);
    }

    fn elsewhere(&mut self, application: &Node) -> Named {
        match (text(application, "name"), text(application, "component")) {
            (Some(name), Some(component)) => {
                Named::Elsewhere(format!("{}/{}", name.value, component.value))
            }
            _ => {
                let help = "write `application: {name: APPLICATION, component: COMPONENT}`";
                self.reader.error(
                    application.span,
                    "a shared component is not named".to_owned(),
                    help,
                );
                Named::Unknown
            }
        }
    }

    fn provider(&mut self, image: &Spanned<String>) -> Named {
        let last = image.value.rsplit('/').next().unwrap_or_default();
        let name = last.split([':', '@']).next().unwrap_or_default();
        if let Some((_, builtin)) = PROVIDERS.iter().find(|(known, _)| *known == name) {
            return Named::Provider(builtin);
        }
        let help = "builtin are http-server, http-client, keyvalue-redis, keyvalue-nats and messaging-nats; \
                    a manifest of Wicker's own may run any program as a provider";
        self.reader.error(image.span, format!("no provider here is a `{name}`"), help);
        Named::Unknown
    }

    fn component(&mut self, component: &Node) {
        self.refuse_unknown("a component", component, &["name", "type", "properties", "traits"]);
        let Some(name) = text(component, "name") else { return };
        let properties = get(component, "properties");
        if let Some(properties) = properties {
            let known = ["image", "id", "config", "secrets", "application"];
            self.refuse_unknown(&format!("the properties of {}", name.value), properties, &known);
        }
        let secrets = properties.and_then(|node| get(node, "secrets"));
        let config = self.config(properties.and_then(|node| get(node, "config")));
        let image = properties.and_then(|node| text(node, "image"));
        let traits = items(get(component, "traits"));
        match self.named.get(&name.value).cloned() {
            Some(Named::Component) => {
                let mut fields = Vec::new();
                fields.extend(
                    image.map(|image| ("image", scalar(&image_of(&image.value), image.span))),
                );
                fields.extend((!config.is_empty()).then(|| ("config", map(name.span, config))));
                let secrets = self.secrets(secrets).into_iter();
                let secrets: Vec<_> =
                    secrets.map(|(name, key)| (name, scalar(&key.value, key.span))).collect();
                fields.extend((!secrets.is_empty()).then(|| ("secrets", map(name.span, secrets))));
                fields.extend(self.scale(&name, traits));
                self.parts.components.push((name.clone(), fields_of(name.span, fields)));
            }
            Some(Named::Provider(HTTP_SERVER)) => {
                for (key, _) in config {
                    self.of_hosts(key.span, &format!("`{}` of an http-server", key.value));
                }
            }
            Some(Named::Provider(builtin)) => {
                let mut config = config;
                config.extend(self.secret_values(secrets));
                let mut fields = vec![("builtin", scalar(builtin, name.span))];
                fields.extend((!config.is_empty()).then(|| ("config", map(name.span, config))));
                fields.extend(self.scale(&name, traits));
                fields.retain(|(field, _)| *field != "limits");
                self.parts.providers.push((name.clone(), fields_of(name.span, fields)));
            }
            Some(Named::Elsewhere(_) | Named::Unknown) | None => {}
        }
        for each in traits {
            self.link_trait(&name, each);
        }
    }

    /// Named configs, merged; later ones win.
    fn config(&mut self, list: Option<&Node>) -> Vec<(Spanned<String>, Node)> {
        let mut merged: Vec<(Spanned<String>, Node)> = Vec::new();
        for each in items(list) {
            let Some(properties) = get(each, "properties") else {
                let help = "write its `properties:` into the manifest";
                let message = "a config that is kept elsewhere has no counterpart".to_owned();
                self.reader.error(each.span, message, help);
                continue;
            };
            for (key, value) in entries(properties) {
                merged.retain(|(other, _)| other.value != key.value);
                merged.push((key.clone(), value.clone()));
            }
        }
        merged
    }

    fn refuse_unknown(&mut self, what: &str, node: &Node, known: &[&str]) {
        for (key, _) in entries(node).iter().filter(|(key, _)| !known.contains(&key.value.as_str()))
        {
            self.no_counterpart(key.span, &format!("`{}` of {what}", key.value), "take it out");
        }
    }

    fn no_counterpart(&mut self, span: Span, what: &str, help: &str) {
        self.reader.error(span, format!("{what} has no counterpart here"), help);
    }

    /// Something that applications decide there and hosts decide here.
    fn of_hosts(&mut self, span: Span, what: &str) {
        let message = format!("{what} does nothing here");
        let help = "every host answers HTTP where its `wicker up --http` says";
        self.reader.problems.warning(self.reader.source, span, message, help);
    }
}

/// An image as our manifests name it: files without a scheme, registries with one.
fn image_of(image: &str) -> String {
    match image.split_once("://") {
        Some(("file", path)) => path.to_owned(),
        Some(_) => image.to_owned(),
        None => format!("oci://{image}"),
    }
}

fn entries(node: &Node) -> Entries<'_> {
    match &node.value {
        Value::Map(entries) => entries,
        Value::List(_) | Value::Scalar { .. } => &[],
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn get<'n>(node: &'n Node, field: &str) -> Option<&'n Node> {
    entries(node).iter().find(|(key, _)| key.value == field).map(|(_, node)| node)
}

fn text(node: &Node, field: &str) -> Option<Spanned<String>> {
    let node = get(node, field)?;
    match &node.value {
        Value::Scalar { text, .. } => Some(Spanned::new(text.clone(), node.span)),
        Value::List(_) | Value::Map(_) => None,
    }
}

fn scalar(text: &str, span: Span) -> Node {
    Node { span, value: Value::Scalar { text: text.to_owned(), is_plain: false } }
}

fn map(span: Span, entries: Vec<(Spanned<String>, Node)>) -> Node {
    Node { span, value: Value::Map(entries) }
}

fn fields_of(span: Span, fields: Vec<(&str, Node)>) -> Node {
    let fields = fields.into_iter();
    map(span, fields.map(|(name, node)| (Spanned::new(name.to_owned(), node.span), node)).collect())
}

#[cfg(test)]
mod tests;
