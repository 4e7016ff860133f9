//! Overlays: partial manifests laid over one, by name. What they say counts; what they leave out stays.
//!
//! Maps are merged; text and lists are replaced; `null` takes a field away. Works on trees, before anything is read, so that
//! the result is checked as any manifest is, and every problem is shown where it was written.

use super::yaml::{Node, Value};
use crate::diagnostic::{Problems, Source, Spanned};
use crate::suggest;

/// The fields of a provider that say what runs: an overlay that states one takes the others away.
const PROVIDER_SOURCES: &[&str] = super::known::PROVIDER.one_of;

/// Lays `overlay` over `base`.
pub(super) fn lay(base: &mut Node, overlay: Node, source: &Source, problems: &mut Problems) {
    let Value::Map(sections) = overlay.value else {
        let message = format!("the overlay is {}, expected a map", overlay.value.kind());
        problems.error(source, overlay.span, message, "write what differs, as in a manifest");
        return;
    };
    for (key, node) in sections {
        match key.value.as_str() {
            "application" => check_application(base, &node, source, problems),
            "components" | "providers" => {
                lay_named(base, (key, node), source, problems);
            }
            "links" => lay_links(base, (key, node)),
            _ => merge_entry(base, key, node),
        }
    }
}

/// An overlay may say whose it is; not that it is another's.
fn check_application(base: &Node, node: &Node, source: &Source, problems: &mut Problems) {
    let text = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::List(_) | Value::Map(_) => None,
    };
    let name = entry(base, "application").and_then(text);
    if name.is_some() && text(node) != name {
        let name = name.unwrap_or_default();
        let message = format!("the overlay is of another application than `{name}`");
        problems.error(source, node.span, message, "leave `application` out of overlays");
    }
}

/// Components or providers: only those that the manifest has.
fn lay_named(
    base: &mut Node,
    (key, node): (Spanned<String>, Node),
    source: &Source,
    problems: &mut Problems,
) {
    let short = if key.value == "components" { "image" } else { "builtin" };
    let what = if key.value == "components" { "component" } else { "provider" };
    let Value::Map(entries) = node.value else { return merge_entry(base, key, node) };
    for (name, over) in entries {
        let known = names(base, &key.value);
        let Some(there) = entry_mut(base, &key.value).and_then(|all| entry_mut(all, &name.value))
        else {
            let message = format!("`{}` is no {what} of {}", name.value, source.file());
            let help = suggest::help(&name.value, known.iter().map(String::as_str));
            problems.error(source, name.span, message, help);
            continue;
        };
        lengthen(there, short);
        let mut over = over;
        lengthen(&mut over, short);
        let states = |each: &&&str| entry(&over, each).is_some();
        if what == "provider"
            && PROVIDER_SOURCES.iter().any(|each| states(&each))
            && let Value::Map(fields) = &mut there.value
        {
            fields.retain(|(field, _)| !PROVIDER_SOURCES.contains(&field.value.as_str()));
        }
        merge(there, over);
    }
}

/// Links: of a target alone, the rest of the link stays.
fn lay_links(base: &mut Node, (key, node): (Spanned<String>, Node)) {
    let Value::Map(sources) = node.value else { return merge_entry(base, key, node) };
    for (name, over) in sources {
        let Value::Map(interfaces) = over.value else {
            merge_in(base, &key, (name, over));
            continue;
        };
        for (interface, mut over) in interfaces {
            let there = entry_mut(base, &key.value)
                .and_then(|all| entry_mut(all, &name.value))
                .and_then(|links| entry_mut(links, &interface.value));
            let Some(there) = there else {
                let span = over.span;
                let link = Node { span, value: Value::Map(vec![(interface, over)]) };
                merge_in(base, &key, (name.clone(), link));
                continue;
            };
            lengthen(there, "target");
            lengthen(&mut over, "target");
            merge(there, over);
        }
    }
}

/// Puts an entry into a section, which is made where it is missing.
fn merge_in(base: &mut Node, section: &Spanned<String>, (name, node): (Spanned<String>, Node)) {
    let span = node.span;
    merge_entry(base, section.clone(), Node { span, value: Value::Map(vec![(name, node)]) });
}

/// `api: api.wasm` is `api: {image: api.wasm}`.
fn lengthen(node: &mut Node, field: &str) {
    if let Value::Scalar { text, is_plain } = &node.value
        && !(*is_plain && super::yaml::is_null(text))
    {
        let (span, value) = (node.span, node.clone());
        node.value = Value::Map(vec![(Spanned::new(field.to_owned(), span), value)]);
    }
}

fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(_), Value::Map(entries)) => {
            entries.into_iter().for_each(|(key, node)| merge_entry(base, key, node));
        }
        (_, value) => *base = Node { span: over.span, value },
    }
}

fn merge_entry(base: &mut Node, key: Spanned<String>, node: Node) {
    match entry_mut(base, &key.value) {
        Some(there) => merge(there, node),
        None => {
            if let Value::Map(entries) = &mut base.value {
                entries.push((key, node));
            }
        }
    }
}

fn names(base: &Node, section: &str) -> Vec<String> {
    match entry(base, section).map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.value.clone()).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.value == name).map(|(_, node)| node)
}

pub(super) fn entry_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(key, _)| key.value == name).map(|(_, node)| node)
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Source;
    use crate::manifest::{Manifest, parse};

    const BASE: &str = "application: shop\ncomponents:\n  api: api.wasm\n  web:\n    image: web.wasm\n    limits: {memory: 64MiB, deadline: 5s}\n\
                        providers:\n  store: keyvalue-redb\nlinks:\n  api:\n    wasi:keyvalue: store\nroutes:\n  /: web\n";

    fn read(overlay: &str) -> Result<Manifest, Vec<String>> {
        let base = Source::new("app.yaml", BASE);
        let source = base.with_layers(Vec::new(), vec![Source::new("prod.yaml", overlay)]);
        parse(&source).map_err(|problems| {
            let print = |each: &crate::diagnostic::Diagnostic| {
                let help = each.help.as_deref().unwrap_or_default();
                format!("{}:{}:{} {} | {help}", each.file, each.line, each.column, each.message)
            };
            problems.iter().map(print).collect()
        })
    }

    #[test]
    fn what_an_overlay_says_counts_and_the_rest_stays() {
        let manifest = read(
            "components:\n  api: {replicas: 3}\n  web:\n    limits: {memory: 1GiB}\n\
             providers:\n  store: {process: keyvalue-redis}\n\
             links:\n  api:\n    wasi:keyvalue: {timeout: 1s}\nroutes:\n  shop.example.com: api\n",
        )
        .unwrap();
        let (api, web) = (&manifest.components[0], &manifest.components[1]);
        assert_eq!(
            (api.image.value.as_str(), api.placement.spread.replicas),
            ("api.wasm", Some(3))
        );
        assert_eq!((web.limits.memory_bytes, web.limits.deadline_ms), (Some(1 << 30), Some(5_000)));
        let source = wicker_lattice::store::record::ProviderSource::BuiltinProcess(
            "keyvalue-redis".to_owned(),
        );
        assert_eq!(manifest.providers[0].source.value, source);
        let link = &manifest.links[0];
        assert_eq!((link.targets[0].name.value.as_str(), link.timeout_ms), ("store", Some(1_000)));
        assert_eq!(manifest.routes.len(), 2);
        assert!(manifest.source.whole_text().contains("1GiB"), "kept with the application");
    }

    #[test]
    fn null_takes_a_field_away() {
        let manifest = read("components:\n  web: {limits: null}\n").unwrap();
        assert_eq!(manifest.components[1].limits, Default::default());
    }

    #[test]
    fn problems_are_shown_in_the_file_that_has_them() {
        assert_eq!(
            read(
                "application: other\ncomponents:\n  apj: {replicas: 2}\n  web: {replica: 2}\n\
                 providers:\n  cache: keyvalue-redis\nlinks:\n  wen:\n    wasi:keyvalue: store\n"
            )
            .unwrap_err(),
            [
                "prod.yaml:1:14 the overlay is of another application than `shop` | leave `application` out of overlays",
                "prod.yaml:3:3 `apj` is no component of app.yaml | did you mean `api`?",
                "prod.yaml:4:9 unknown field `replica` in component web | did you mean `replicas`?",
                "prod.yaml:6:3 `cache` is no provider of app.yaml | known: store",
                "prod.yaml:8:3 `wen` has links but is no component or provider here | did you mean `web`?",
            ]
        );
    }
}
