//! Link traits: links, and for an http-server, routes.

use super::{
    HTTP_CLIENT, HTTP_SERVER, Named, Node, Spanned, Value, Wadm, fields_of, get, items, map,
    scalar, text,
};

/// Config by name.
type Config = Vec<(Spanned<String>, Node)>;

impl Wadm<'_, '_> {
    /// Takes in a trait of `source`, if it is a link; what is neither link nor scaler is noted.
    pub(super) fn link_trait(&mut self, source: &Spanned<String>, node: &Node) {
        let kind = text(node, "type");
        match kind.as_ref().map(|kind| kind.value.as_str()) {
            Some("link") => {}
            Some("spreadscaler" | "daemonscaler") => return,
            _ => {
                return self.no_counterpart(
                    node.span,
                    "this trait",
                    "link, spreadscaler and daemonscaler do",
                );
            }
        }
        let Some(properties) = get(node, "properties") else {
            return self.reader.error(node.span, "a link has no properties".to_owned(), "");
        };
        let known = [
            "target",
            "namespace",
            "package",
            "interfaces",
            "name",
            "source",
            "source_config",
            "target_config",
        ];
        self.refuse_unknown("a link", properties, &known);
        let Some(target) = self.target(properties) else { return };
        let (of_source, of_target) = self.configs(properties);
        if matches!(self.named.get(&source.value), Some(Named::Provider(HTTP_SERVER))) {
            return self.route(&target, of_source);
        }
        let config = match self.named.get(&source.value) {
            Some(Named::Provider(_)) => {
                of_source.into_iter().chain(of_target).map(subscription).collect()
            }
            _ => {
                for (key, _) in of_source {
                    let message = format!(
                        "`{}` of a component's own end of a link does nothing here",
                        key.value
                    );
                    self.reader.problems.warning(self.reader.source, key.span, message, "");
                }
                self.config_for(&target, of_target)
            }
        };
        self.links(source, properties, (&target, config));
    }

    /// One link for each interface.
    fn links(
        &mut self,
        source: &Spanned<String>,
        properties: &Node,
        (target, config): (&Spanned<String>, Config),
    ) {
        let (Some(namespace), Some(package)) =
            (text(properties, "namespace"), text(properties, "package"))
        else {
            let help = "write `namespace: wasi` and `package: keyvalue`";
            return self.reader.error(
                properties.span,
                "a link does not say of which package".to_owned(),
                help,
            );
        };
        let mut fields = vec![("target", scalar(&self.id_of(target), target.span))];
        fields
            .extend(text(properties, "name").map(|name| ("name", scalar(&name.value, name.span))));
        fields.extend((!config.is_empty()).then(|| ("config", map(target.span, config))));
        let link = fields_of(target.span, fields);
        let package = format!("{}:{}", namespace.value, package.value);
        let interfaces = items(get(properties, "interfaces"));
        let named = interfaces.iter().filter_map(|node| match &node.value {
            Value::Scalar { text, .. } => {
                Some(Spanned::new(format!("{package}/{text}"), node.span))
            }
            Value::List(_) | Value::Map(_) => None,
        });
        let mut named: Vec<_> = named.collect();
        if named.is_empty() {
            named.push(Spanned::new(package, namespace.span));
        }
        let at = self.parts.links.iter().position(|(each, _)| each.value == source.value);
        let at = at.unwrap_or_else(|| {
            self.parts.links.push((source.clone(), Vec::new()));
            self.parts.links.len() - 1
        });
        let Some((_, links)) = self.parts.links.get_mut(at) else { return };
        for interface in named {
            match links.iter_mut().find(|(each, _)| each.value == interface.value) {
                Some((_, links)) => links.push(link.clone()),
                None => links.push((interface, vec![link.clone()])),
            }
        }
    }

    /// Who is linked to: `target: NAME`, or a map with its name.
    fn target(&mut self, properties: &Node) -> Option<Spanned<String>> {
        let node = get(properties, "target");
        let target = text(properties, "target").or_else(|| text(node?, "name"));
        let Some(target) = target else {
            self.reader.error(
                properties.span,
                "a link has no target".to_owned(),
                "add `target: NAME`",
            );
            return None;
        };
        if !self.named.contains_key(&target.value) {
            let names = self.named.keys().map(String::as_str);
            let help = crate::suggest::help(&target.value, names);
            let message = format!("nothing here is called `{}`", target.value);
            self.reader.error(target.span, message, help);
            return None;
        }
        Some(target)
    }

    fn id_of(&self, target: &Spanned<String>) -> String {
        match self.named.get(&target.value) {
            Some(Named::Elsewhere(id)) => id.clone(),
            _ => target.value.clone(),
        }
    }

    /// What is said of both ends, in today's form and in that before it.
    fn configs(&mut self, properties: &Node) -> (Config, Config) {
        let mut end = |field: &str, old: &str| {
            let node = get(properties, field);
            let config = node.and_then(|node| get(node, "config"));
            let mut config = self.config(config.or_else(|| get(properties, old)));
            config.extend(self.secret_values(node.and_then(|node| get(node, "secrets"))));
            config
        };
        (end("source", "source_config"), end("target", "target_config"))
    }

    /// wasmCloud's client asks any server; ours none that is not allowed.
    fn config_for(&self, target: &Spanned<String>, mut config: Config) -> Config {
        let is_client = matches!(self.named.get(&target.value), Some(Named::Provider(HTTP_CLIENT)));
        if is_client && !config.iter().any(|(key, _)| key.value == "allow") {
            let span = target.span;
            config.push((Spanned::new("allow".to_owned(), span), scalar("*", span)));
        }
        config
    }

    /// What an http-server is linked to answers requests.
    fn route(&mut self, target: &Spanned<String>, config: Config) {
        let (mut host, mut path) = (String::new(), "/".to_owned());
        for (key, node) in &config {
            let value = match &node.value {
                Value::Scalar { text, .. } => text.clone(),
                Value::List(_) | Value::Map(_) => String::new(),
            };
            match key.value.as_str() {
                "path" => path = value,
                "host" => host = value,
                other => self.of_hosts(key.span, &format!("`{other}` of an http-server")),
            }
        }
        let route = Spanned::new(format!("{host}{path}"), target.span);
        let node = scalar(&self.id_of(target), target.span);
        self.parts.routes.push((route, node));
    }
}

/// `subscriptions` of a messaging provider are `subjects` here.
fn subscription((key, node): (Spanned<String>, Node)) -> (Spanned<String>, Node) {
    match key.value.as_str() {
        "subscriptions" => (Spanned::new("subjects".to_owned(), key.span), node),
        _ => (key, node),
    }
}
