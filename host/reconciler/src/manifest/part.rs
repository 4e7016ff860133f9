//! Several files of one application: each declares a part of it, and none says again what another one has said.
//!
//! Works on trees, as `overlay` does; where an overlay's word counts, a part's second word is a problem of both places.

use super::overlay::{entry, entry_mut};
use super::wadm;
use super::yaml::{Node, Value};
use crate::diagnostic::{Problems, Source, Span, Spanned};

/// Adds what `part` declares to `base`.
pub(super) fn add(base: &mut Node, part: Node, source: &Source, problems: &mut Problems) {
    let span = part.span;
    let Value::Map(sections) = part.value else {
        let message = format!("the file is {}, expected a map", part.value.kind());
        problems.error(source, span, message, "write a manifest");
        return;
    };
    if wadm::is_wadm(base) {
        let help = "put all of it into one file";
        let message = "an application of wadm's form is one file".to_owned();
        problems.error(source, span, message, help);
        return;
    }
    for (key, node) in sections {
        match key.value.as_str() {
            // The same in each: that is why these files are read together.
            "application" | "team" => {}
            "links" => add_links(base, (key, node), (source, problems)),
            _ => add_entries(base, (key, node), "", (source, problems)),
        }
    }
}

/// Links: those of one source may stand in several files, as those of one interface may not.
fn add_links(
    base: &mut Node,
    (key, node): (Spanned<String>, Node),
    (source, problems): (&Source, &mut Problems),
) {
    let Value::Map(sources) = node.value else {
        return add_entries(base, (key, node), "", (source, problems));
    };
    let span = node.span;
    let empty = || Node { span, value: Value::Map(Vec::new()) };
    if entry(base, &key.value).is_none() {
        push(base, key.clone(), empty());
    }
    let Some(links) = entry_mut(base, &key.value) else { return };
    for (name, interfaces) in sources {
        let of = format!(" of `{}`", name.value);
        add_entries(links, (name, interfaces), &of, (source, problems));
    }
}

/// Adds the entries of one section, or the section where there is none.
fn add_entries(
    base: &mut Node,
    (key, node): (Spanned<String>, Node),
    of: &str,
    (source, problems): (&Source, &mut Problems),
) {
    let Some((first, there)) = spanned_entry_mut(base, &key.value) else {
        return push(base, key, node);
    };
    let (Value::Map(_), Value::Map(entries)) = (&there.value, &node.value) else {
        return twice(&format!("`{}`", key.value), (first, key.span), (source, problems));
    };
    for (name, node) in entries.clone() {
        match spanned_entry_mut(there, &name.value) {
            Some((first, _)) => {
                let what = format!("`{}`{of}", name.value);
                twice(&what, (first, name.span), (source, problems));
            }
            None => push(there, name, node),
        }
    }
}

/// Notes a second declaration, at both places.
fn twice(what: &str, (first, second): (Span, Span), (source, problems): (&Source, &mut Problems)) {
    for (here, there) in [(first, second), (second, first)] {
        let (file, line) = (source.of(there).file(), there.line);
        let message = format!("{what} is declared twice in this application");
        problems.error(source, here, message, format!("also in {file}, line {line}"));
    }
}

fn spanned_entry_mut<'n>(node: &'n mut Node, name: &str) -> Option<(Span, &'n mut Node)> {
    let Value::Map(entries) = &mut node.value else { return None };
    let found = entries.iter_mut().find(|(key, _)| key.value == name);
    found.map(|(key, node)| (key.span, node))
}

fn push(base: &mut Node, key: Spanned<String>, node: Node) {
    if let Value::Map(entries) = &mut base.value {
        entries.push((key, node));
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Diagnostic, Source};
    use crate::manifest::{Manifest, application_of, parse};

    const API: &str = "application: shop\nversion: v1\ncomponents:\n  api: api.wasm\nlinks:\n  api:\n    wasi:keyvalue: store\n";

    fn read(part: &str, overlays: Vec<Source>) -> Result<Manifest, Vec<String>> {
        let base = Source::new("api.yaml", API);
        let source = base.with_layers(vec![Source::new("more.yaml", part)], overlays);
        parse(&source).map_err(|problems| {
            let print = |each: &Diagnostic| {
                let help = each.help.as_deref().unwrap_or_default();
                format!("{}:{}:{} {} | {help}", each.file, each.line, each.column, each.message)
            };
            problems.iter().map(print).collect()
        })
    }

    #[test]
    fn files_of_one_application_declare_it_together() {
        let part = "application: shop\ncomponents:\n  web: web/web.wasm\nproviders:\n  store: keyvalue-redis\n\
                    links:\n  api:\n    acme:greet/api@1: web\nroutes:\n  /: web\n";
        let overlay = Source::new("prod.yaml", "components:\n  web: {replicas: 3}\n");
        let manifest = read(part, vec![overlay]).unwrap();
        let names: Vec<&str> =
            manifest.components.iter().map(|each| each.name.value.as_str()).collect();
        assert_eq!(names, ["api", "web"]);
        let web = &manifest.components[1];
        assert_eq!(manifest.source.of(web.image.span).file(), "more.yaml", "paths start there");
        assert_eq!(web.placement.spread.replicas, Some(3));
        assert_eq!((manifest.links.len(), manifest.routes.len()), (2, 1));
        assert!(manifest.source.whole_text().contains("# more.yaml\n"));
    }

    #[test]
    fn name_that_is_declared_twice_is_a_problem_of_both_places() {
        let part = "application: shop\nversion: v2\ncomponents:\n  web: web.wasm\n  api: other.wasm\n\
                    providers: {store: keyvalue-redis}\nlinks:\n  api:\n    wasi:keyvalue: web\n";
        assert_eq!(
            read(part, Vec::new()).unwrap_err(),
            [
                "api.yaml:2:1 `version` is declared twice in this application | also in more.yaml, line 2",
                "api.yaml:4:3 `api` is declared twice in this application | also in more.yaml, line 5",
                "api.yaml:7:5 `wasi:keyvalue` of `api` is declared twice in this application | also in more.yaml, line 9",
                "more.yaml:2:1 `version` is declared twice in this application | also in api.yaml, line 2",
                "more.yaml:5:3 `api` is declared twice in this application | also in api.yaml, line 4",
                "more.yaml:9:5 `wasi:keyvalue` of `api` is declared twice in this application | also in api.yaml, line 7",
            ]
        );
    }

    #[test]
    fn files_belong_together_by_team_and_name() {
        let of = |text: &str| application_of(&Source::new("a.yaml", text));
        let pair = |team: &str| Some((team.to_owned(), "shop".to_owned()));
        assert_eq!(of(API), pair("default"));
        assert_eq!(of("team: words\napplication: shop\n"), pair("words"));
        assert_eq!(of("components: {}\n"), None);
        assert_eq!(of("{"), None);
    }
}
