//! The sections of a manifest, one function each. What fields each knows is said in `known`.

use std::collections::HashMap;

use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::network::Reach;
use wicker_lattice::store::record::{FileGrant, Grants, Limits, ProviderSource, Rollout, Sharing};

use super::fields::{Fields, Reader, json};
use super::known::{COMPONENT, FILE, GRANTS, LIMITS, LINK, MANIFEST, PROVIDER};
use super::yaml::{Node, Value};
use super::{Component, Link, Manifest, Placement, Provider, Route, Target, default_team};
use crate::diagnostic::{Problems, Source, Span, Spanned};
use crate::pattern::InterfacePattern;
use crate::{route, suggest};

/// Reads the whole file.
pub(super) fn manifest(source: &Source, root: &Node, problems: &mut Problems) -> Option<Manifest> {
    let mut reader = Reader { source, problems };
    let fields = reader.fields(
        "the manifest",
        root,
        Span { line: 1, column: 1, width: 1, layer: 0 },
        &MANIFEST,
    )?;
    let application = reader.application(&fields);
    let team = fields.get("team").and_then(|node| reader.text("team", node));
    let team = team.and_then(|team| reader.name("a team", team)).map(|team| team.value);
    let version = fields.get("version").and_then(|node| reader.text("version", node));
    let components = reader.section(&fields, "components", "a component", Reader::component);
    let providers = reader.section(&fields, "providers", "a provider", Reader::provider);
    reader.names_differ(&components, &providers);
    let links = reader.links(&fields);
    let routes = reader.routes(&fields);
    let exports = reader.section(&fields, "exports", "an export", Reader::export);
    let schedules = reader.section(&fields, "schedules", "a schedule", Reader::schedule);
    // By the file's own keys: an entry with a problem is declared all the same.
    let mut names = fields.names_in("components");
    reader.schedules_lead_to_components(&schedules, &names);
    names.extend(fields.names_in("providers"));
    reader.routes_lead_to_objects(&routes, &names);
    reader.sources_exist(&links, &names);
    reader.exports_lead_to_objects(&exports, &names);
    Some(Manifest {
        source: source.clone(),
        application: application?,
        team: team.unwrap_or_else(default_team),
        version: version.map(|version| version.value),
        components,
        providers,
        links,
        routes,
        exports,
        schedules,
        warnings: Problems::default(),
    })
}

impl Reader<'_> {
    fn application(&mut self, fields: &Fields<'_>) -> Option<Spanned<String>> {
        let Some(node) = fields.get("application") else {
            let help = "add `application: NAME` as the first line";
            self.error(fields.span, "the application has no name".to_owned(), help);
            return None;
        };
        let name = self.text("application", node)?;
        self.name("an application", name)
    }

    /// A map from names to what `read` makes of each entry.
    fn section<T>(
        &mut self,
        fields: &Fields<'_>,
        section: &str,
        what: &str,
        read: fn(&mut Self, Spanned<String>, &Node) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = fields.get(section) else { return Vec::new() };
        let entries = self.entries(section, node).unwrap_or_default();
        let mut all = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name = self.name(what, key.clone()).unwrap_or_else(|| key.clone());
            all.extend(read(self, name, node));
        }
        all
    }

    fn names_differ(&mut self, components: &[Component], providers: &[Provider]) {
        let lines: HashMap<&str, usize> =
            components.iter().map(|each| (each.name.value.as_str(), each.name.span.line)).collect();
        for provider in providers {
            if let Some(line) = lines.get(provider.name.value.as_str()) {
                let message = format!("`{}` is a component already", provider.name.value);
                self.error(provider.name.span, message, format!("see line {line}; rename one"));
            }
        }
    }

    fn sources_exist(&mut self, links: &[Link], names: &[&str]) {
        let mut seen = Span::default();
        for Link { source, .. } in links {
            if !names.contains(&source.value.as_str()) && seen != source.span {
                seen = source.span;
                let message =
                    format!("`{}` has links but is no component or provider here", source.value);
                self.error(
                    source.span,
                    message,
                    suggest::help(&source.value, names.iter().copied()),
                );
            }
        }
    }

    fn routes_lead_to_objects(&mut self, routes: &[Route], names: &[&str]) {
        let all = routes
            .iter()
            .flat_map(|route| route.targets.iter().map(move |target| (route, &target.name)));
        for (Route { host, path, .. }, target) in all {
            if !names.contains(&target.value.as_str()) {
                let name = route::print(host.as_deref(), path);
                let message = format!(
                    "the route {name} leads to `{}`, which is no component or provider here",
                    target.value
                );
                self.error(
                    target.span,
                    message,
                    suggest::help(&target.value, names.iter().copied()),
                );
            }
        }
    }

    /// `NAME: image.wasm`, or a map.
    fn component(&mut self, name: Spanned<String>, node: &Node) -> Option<Component> {
        if let Value::Scalar { .. } = &node.value {
            let image = self.text(&format!("the image of {}", name.value), node)?;
            return Some(self.plain_component(name, image));
        }
        let what = format!("component {}", name.value);
        let fields = self.fields(&what, node, name.span, &COMPONENT)?;
        let image = fields.get("image").and_then(|node| self.text("image", node));
        if image.is_none() && fields.get("image").is_none() {
            let help = format!("add `image: {}.wasm`", name.value);
            self.error(name.span, format!("{what} has no image"), help);
        }
        let placement = self.placement(&fields);
        let rollout = self.rollout(&fields);
        let ready = fields.get("ready").and_then(|node| self.ready(node));
        let digest = fields.get("digest").and_then(|node| self.digest(node));
        let limits = fields.get("limits").map(|node| self.limits(node)).unwrap_or_default();
        let grants = fields.get("grants").map(|node| self.grants(node)).unwrap_or_default();
        let warm =
            fields.get("warm").and_then(|node| self.number("warm", node)).unwrap_or_default();
        let idle_ms = fields.get("idle").and_then(|node| self.millis("idle", node));
        let config =
            fields.get("config").map(|node| self.text_map("config", node)).unwrap_or_default();
        let secrets = fields.get("secrets").map(|node| self.secrets(node)).unwrap_or_default();
        Some(Component {
            name,
            image: image?,
            digest,
            limits,
            grants,
            warm,
            idle_ms,
            secrets,
            config,
            placement,
            rollout,
            is_singleton: self.singleton(&fields),
            ready,
        })
    }

    fn singleton(&mut self, fields: &Fields<'_>) -> bool {
        let node = fields.get("singleton");
        node.and_then(|node| self.boolean("singleton", node)).unwrap_or_default()
    }

    fn plain_component(&mut self, name: Spanned<String>, image: Spanned<String>) -> Component {
        let placement = Placement { span: name.span, ..Placement::default() };
        Component {
            name,
            image,
            digest: None,
            limits: Limits::default(),
            grants: Grants::default(),
            warm: 0,
            idle_ms: None,
            secrets: Default::default(),
            config: Default::default(),
            placement,
            rollout: Rollout::default(),
            is_singleton: false,
            ready: None,
        }
    }

    fn digest(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text("digest", node)?;
        let hex = text.value.strip_prefix("sha256:").unwrap_or_default();
        let is_digest = hex.len() == 64
            && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if is_digest {
            return Some(text);
        }
        let help =
            "expected sha256: and 64 hexadecimal digits; `wicker inspect FILE.wasm` prints it";
        self.error(text.span, "digest cannot be read".to_owned(), help);
        None
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let Some(fields) = self.fields("limits", node, node.span, &LIMITS) else {
            return Limits::default();
        };
        Limits {
            memory_bytes: fields.get("memory").and_then(|node| self.bytes("memory", node)),
            deadline_ms: fields.get("deadline").and_then(|node| self.millis("deadline", node)),
            concurrency: fields
                .get("concurrency")
                .and_then(|node| self.at_least_one("concurrency", node)),
            queue: fields.get("queue").and_then(|node| self.number("queue", node)),
        }
    }

    fn grants(&mut self, node: &Node) -> Grants {
        let Some(fields) = self.fields("grants", node, node.span, &GRANTS) else {
            return Grants::default();
        };
        let environment = fields.get("environment").map(|node| self.text_map("environment", node));
        let arguments = fields.get("arguments").map(|node| self.texts("arguments", node));
        let files = fields.get("files").map(|node| self.files(node));
        let network = fields.get("network").map(|node| self.network(node));
        Grants {
            environment: environment.unwrap_or_default(),
            arguments: arguments.unwrap_or_default(),
            files: files.unwrap_or_default(),
            network: network.unwrap_or_default(),
        }
    }

    fn network(&mut self, node: &Node) -> Vec<String> {
        let Value::List(items) = &node.value else {
            let help = "write `[tcp://db.example.com:5432]`";
            self.error(
                node.span,
                format!("network is {}, expected a list", node.value.kind()),
                help,
            );
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = self.text("network", item) else { continue };
            match text.value.parse::<Reach>() {
                Ok(_) => entries.push(text.value),
                Err(error) => {
                    let help = "HOST is a name, an address or a network; PORT may be *";
                    self.error(text.span, error.to_string(), help);
                }
            }
        }
        entries
    }

    fn files(&mut self, node: &Node) -> Vec<FileGrant> {
        let Value::List(items) = &node.value else {
            let help = "write `- host: /srv/data` and `guest: /data`";
            self.error(node.span, format!("files is {}, expected a list", node.value.kind()), help);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.file(item)).collect()
    }

    fn file(&mut self, node: &Node) -> Option<FileGrant> {
        let fields = self.fields("a file grant", node, node.span, &FILE)?;
        let host = self.absolute_path(&fields, "host");
        let guest = self.absolute_path(&fields, "guest");
        let write = fields.get("write").and_then(|node| self.boolean("write", node));
        Some(FileGrant { host: host?, guest: guest?, write: write.unwrap_or_default() })
    }

    fn absolute_path(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let Some(node) = fields.get(name) else {
            let help = format!("add `{name}: /a/directory`");
            self.error(fields.span, format!("a file grant without `{name}`"), help);
            return None;
        };
        let path = self.text(name, node)?;
        if path.value.starts_with('/') && !path.value.split('/').any(|part| part == "..") {
            return Some(path.value);
        }
        let message = format!("`{}` is not an absolute path without `..`", path.value);
        self.error(path.span, message, "");
        None
    }

    /// `NAME: builtin-name`, or a map.
    fn provider(&mut self, name: Spanned<String>, node: &Node) -> Option<Provider> {
        if let Value::Scalar { .. } = &node.value {
            let builtin = self.text(&format!("provider {}", name.value), node)?;
            let source = Spanned::new(ProviderSource::Builtin(builtin.value), builtin.span);
            let placement = Placement { span: name.span, ..Placement::default() };
            return Some(Provider {
                name,
                source,
                sharing: None,
                is_singleton: false,
                config: serde_json::Value::Null,
                secrets: Vec::new(),
                placement,
                rollout: Rollout::default(),
            });
        }
        let what = format!("provider {}", name.value);
        let fields = self.fields(&what, node, name.span, &PROVIDER)?;
        let source = self.provider_source(&what, &fields);
        let sharing = fields.get("sharing").and_then(|node| self.sharing(node));
        let config = fields.get("config").map(json).unwrap_or_default();
        let mut secrets = Vec::new();
        fields.get("config").into_iter().for_each(|node| self.secrets_in(node, &mut secrets));
        let placement = self.placement(&fields);
        let rollout = self.rollout(&fields);
        let is_singleton = self.singleton(&fields);
        let source = source?;
        Some(Provider { name, source, sharing, is_singleton, config, secrets, placement, rollout })
    }

    fn provider_source(
        &mut self,
        what: &str,
        fields: &Fields<'_>,
    ) -> Option<Spanned<ProviderSource>> {
        let given: Vec<&str> =
            PROVIDER.one_of.iter().copied().filter(|name| fields.get(name).is_some()).collect();
        let [field] = given.as_slice() else {
            let message = match given.as_slice() {
                [] => format!("{what} does not say what to run"),
                given => format!("{what} says {}", given.join(" and ")),
            };
            self.error(fields.span, message, "write one of builtin, process, command, external");
            return None;
        };
        let node = fields.get(field)?;
        let source = match *field {
            "builtin" => ProviderSource::Builtin(self.text(field, node)?.value),
            "process" => ProviderSource::BuiltinProcess(self.text(field, node)?.value),
            "command" => self.command(node)?,
            _ => self.external(node)?,
        };
        Some(Spanned::new(source, node.span))
    }

    fn command(&mut self, node: &Node) -> Option<ProviderSource> {
        let words = self.texts("command", node);
        if words.is_empty() {
            let help = "write the program and its arguments: [./my-provider, --verbose]";
            self.error(node.span, "command names no program".to_owned(), help);
            return None;
        }
        Some(ProviderSource::Command(words))
    }

    fn external(&mut self, node: &Node) -> Option<ProviderSource> {
        if !self.boolean("external", node)? {
            let message = "external is false".to_owned();
            self.error(node.span, message, "say what to run: builtin, process or command");
            return None;
        }
        Some(ProviderSource::External)
    }

    fn sharing(&mut self, node: &Node) -> Option<Sharing> {
        let text = self.text("sharing", node)?;
        match text.value.as_str() {
            "replicable" => Some(Sharing::Replicable),
            "exclusive" => Some(Sharing::Exclusive),
            other => {
                let message = format!("sharing is `{other}`, expected replicable or exclusive");
                self.error(text.span, message, "");
                None
            }
        }
    }

    /// Source → interface or package → target, or a map, or a list of maps with different names.
    fn links(&mut self, fields: &Fields<'_>) -> Vec<Link> {
        let Some(node) = fields.get("links") else { return Vec::new() };
        let mut links = Vec::new();
        for (source, node) in self.entries("links", node).unwrap_or_default() {
            let what = format!("the links of {}", source.value);
            for (interface, node) in self.entries(&what, node).unwrap_or_default() {
                let Some(pattern) = self.interface(interface) else { continue };
                let pattern = Spanned::new(pattern, interface.span);
                match &node.value {
                    Value::List(items) => {
                        links.extend(
                            items.iter().filter_map(|item| self.link(source, &pattern, item)),
                        );
                    }
                    Value::Scalar { .. } | Value::Map(_) => {
                        links.extend(self.link(source, &pattern, node))
                    }
                }
            }
        }
        links
    }

    pub(super) fn interface(&mut self, text: &Spanned<String>) -> Option<InterfacePattern> {
        let pattern = text.value.parse().ok();
        if pattern.is_none() {
            let message = format!("`{}` is not an interface or package", text.value);
            self.error(
                text.span,
                message,
                "write it as wasi:keyvalue or wasi:keyvalue/store@0.2.0",
            );
        }
        pattern
    }

    fn link(
        &mut self,
        source: &Spanned<String>,
        interface: &Spanned<InterfacePattern>,
        node: &Node,
    ) -> Option<Link> {
        let what = format!("the link {} → {}", source.value, interface.value);
        let plain = |targets: Vec<Target>| Link {
            source: source.clone(),
            interface: interface.clone(),
            name: DEFAULT_LINK.to_owned(),
            targets,
            secrets: Default::default(),
            config: Default::default(),
            timeout_ms: None,
            idempotent: Vec::new(),
        };
        if let Value::Scalar { .. } = &node.value {
            return Some(plain(self.targets(&what, node)?));
        }
        let fields = self.fields(&what, node, interface.span, &LINK)?;
        if fields.get("target").is_none() {
            self.error(interface.span, format!("{what} has no target"), "add `target: NAME`");
        }
        let targets = fields.get("target").and_then(|node| self.targets("target", node));
        let name = fields.get("name").and_then(|node| self.text("name", node));
        let config = fields.get("config").map(|node| self.config(node));
        let (config, secrets) = config.unwrap_or_default();
        let idempotent = fields.get("idempotent").map(|node| self.texts("idempotent", node));
        let timeout_ms = fields.get("timeout").and_then(|node| self.millis("timeout", node));
        let link = plain(targets?);
        Some(Link {
            name: name.map_or(link.name, |name| name.value),
            config,
            secrets,
            timeout_ms,
            idempotent: idempotent.unwrap_or_default(),
            ..link
        })
    }

    /// `[HOST]/PATH: component`.
    fn routes(&mut self, fields: &Fields<'_>) -> Vec<Route> {
        let Some(node) = fields.get("routes") else { return Vec::new() };
        let mut routes: Vec<Route> = Vec::new();
        for (key, node) in self.entries("routes", node).unwrap_or_default() {
            let targets = self.targets(&format!("the route {}", key.value), node);
            match route::parse(&key.value) {
                Err(help) => self.error(key.span, format!("`{}` is not a route", key.value), help),
                Ok((host, path)) => {
                    if let Some(first) =
                        routes.iter().find(|each| each.host == host && each.path == path)
                    {
                        let help = format!("the first is on line {}", first.span.line);
                        self.error(
                            key.span,
                            format!("the route {} is here twice", key.value),
                            help,
                        );
                    }
                    routes.extend(targets.map(|targets| Route {
                        host,
                        path,
                        span: key.span,
                        targets,
                    }));
                }
            }
        }
        routes
    }
}
