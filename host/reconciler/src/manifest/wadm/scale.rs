//! `spreadscaler` and `daemonscaler`: on how many hosts something runs, and how many calls it takes at once on each.

use super::{Node, Spanned, Wadm, entries, fields_of, get, items, scalar, text};

/// The fields that a trait comes down to.
type Fields = Vec<(&'static str, Node)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scaler {
    /// On as many hosts as its spread says.
    Spread,
    /// On every host.
    Daemon,
}

impl Wadm<'_, '_> {
    /// The fields that the scaler among `traits` comes down to.
    pub(super) fn scale(&mut self, name: &Spanned<String>, traits: &[Node]) -> Fields {
        let scaler = |each: &Node| match text(each, "type")?.value.as_str() {
            "spreadscaler" => Some(Scaler::Spread),
            "daemonscaler" => Some(Scaler::Daemon),
            _ => None,
        };
        let mut scalers = traits.iter().filter_map(|each| Some((scaler(each)?, each)));
        let Some((scaler, node)) = scalers.next() else { return Vec::new() };
        if let Some((_, other)) = scalers.next() {
            let message = format!("{} has several scalers", name.value);
            self.reader.error(other.span, message, "leave one of them");
        }
        let mut fields = Vec::new();
        if scaler == Scaler::Daemon {
            fields.push(("replicas", scalar("every", node.span)));
        }
        let Some(properties) = get(node, "properties") else { return fields };
        self.refuse_unknown("a scaler", properties, &["instances", "replicas", "spread"]);
        let instances = get(properties, "instances").or_else(|| get(properties, "replicas"));
        if let Some(instances) = instances {
            let limits = fields_of(instances.span, vec![("concurrency", instances.clone())]);
            fields.push(("limits", limits));
        }
        if let Some(spread) = get(properties, "spread") {
            fields.extend(self.spread(spread, scaler));
        }
        fields
    }

    /// One entry says which labels hosts must carry; several, one replica on each value of the one label that they differ by.
    fn spread(&mut self, spread: &Node, scaler: Scaler) -> Fields {
        match (items(Some(spread)), scaler) {
            ([], _) => return Vec::new(),
            ([one], _) => {
                let labels = get(one, "requirements").cloned();
                let placement =
                    labels.map(|labels| fields_of(spread.span, vec![("labels", labels)]));
                return placement.map(|placement| ("placement", placement)).into_iter().collect();
            }
            (several, Scaler::Spread) => {
                if let Some(label) = even_label(several) {
                    let over = scalar(&label.value, label.span);
                    return vec![
                        ("replicas", scalar(&several.len().to_string(), spread.span)),
                        ("placement", fields_of(spread.span, vec![("spread", over)])),
                    ];
                }
            }
            (_, Scaler::Daemon) => {}
        }
        let help = "several entries of one weight that require one value each of one label come down to \
                    `spread: LABEL`; declare other parts as components of their own";
        self.no_counterpart(spread.span, "this spread", help);
        Vec::new()
    }
}

/// The label over whose values all entries spread alike.
fn even_label(several: &[Node]) -> Option<&Spanned<String>> {
    let (first, others) = several.split_first()?;
    let wanted = label(first)?;
    let weight = |each: &Node| text(each, "weight").map(|weight| weight.value);
    let is_alike = |each: &Node| {
        label(each).is_some_and(|label| label.value == wanted.value)
            && weight(each) == weight(first)
    };
    others.iter().all(is_alike).then_some(wanted)
}

/// The only label that an entry requires.
fn label(each: &Node) -> Option<&Spanned<String>> {
    match entries(get(each, "requirements")?) {
        [(label, _)] => Some(label),
        _ => None,
    }
}
